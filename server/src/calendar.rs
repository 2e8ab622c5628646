//! Dates as log lines show them: `20 Nov 2026 18:42:05.123`, in UTC.

/// Unix time in ms as day, month, year and time of day.
pub fn local_text(unix_ms: u64) -> String {
    let (year, month, day) = date(unix_ms);
    format!("{day:02} {} {year} {}.{:03}", MONTHS[month - 1], time_of_day(unix_ms), unix_ms % 1000)
}

/// Unix time in ms as `2026-11-20T18:42:05.123+00:00`.
pub fn iso_text(unix_ms: u64) -> String {
    let (year, month, day) = date(unix_ms);
    format!("{year:04}-{month:02}-{day:02}T{}.{:03}+00:00", time_of_day(unix_ms), unix_ms % 1000)
}

/// Unix time in ms as `Nov 20 18:42:05`, with a space before a day of one digit.
pub fn syslog_text(unix_ms: u64) -> String {
    let (_, month, day) = date(unix_ms);
    format!("{} {day:2} {}", MONTHS[month - 1], time_of_day(unix_ms))
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn time_of_day(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

/// Year, month from 1, and day from 1.
fn date(unix_ms: u64) -> (i64, usize, i64) {
    let (year, month, day) = civil((unix_ms / 86_400_000) as i64);
    (year, month as usize, day)
}

/// Year, month and day of a day counted from 1970-01-01, by eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::local_text;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(local_text(0), "01 Jan 1970 00:00:00.000");
        assert_eq!(local_text(951_782_400_000), "29 Feb 2000 00:00:00.000");
        assert_eq!(local_text(1_795_200_125_123), "20 Nov 2026 18:42:05.123");
    }
}
