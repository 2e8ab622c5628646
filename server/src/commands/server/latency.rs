//! LATENCY: how long commands take, and what took too long.

use super::info;
use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use crate::latency::{Sample, Series};
use crate::shared::CommandRow;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use std::fmt::Write;

pub const LATENCY: Command =
    Command::container(Group::Server, "LATENCY", &[DOCTOR, GRAPH, HISTOGRAM, HISTORY, LATEST, RESET, HELP])
        .summary("Tells how long commands take, and what took too long.")
        .cost("Depends on the subcommand")
        .since("2.8.13");

const FLAGS: u32 = ADMIN | NOSCRIPT | LOADING | STALE;
const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

const DOCTOR: Command = Command::new(Group::Server, "DOCTOR", "", doctor)
    .summary("Replies a report on latencies for people.")
    .cost("O(1)")
    .since("2.8.13")
    .flags(FLAGS)
    .tips(TIPS);

fn doctor(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let threshold_ms = shared.settings.logging.latency_monitor_threshold_ms.get();
    let all = shared.latency_events.all();
    let text = if all.is_empty() && threshold_ms == 0 {
        "Latencies are not monitored. CONFIG SET latency-monitor-threshold <milliseconds> says what is too long.\n"
            .into()
    } else if all.is_empty() {
        "Nothing has taken too long so far.\n".into()
    } else {
        report(&all)
    };
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn report(all: &[(&'static str, Series)]) -> String {
    let mut text = String::from("Some things took too long:\n\n");
    for (number, (event, series)) in all.iter().enumerate() {
        let seconds = series.samples.len() as u64;
        let sum_ms: u64 = series.samples.iter().map(|sample| sample.latency_ms).sum();
        let average_ms = sum_ms / seconds.max(1);
        let deviation_ms = series.samples.iter().map(|sample| sample.latency_ms.abs_diff(average_ms)).sum::<u64>();
        let _ = writeln!(
            text,
            "{}. {event}: {seconds} seconds with spikes (average {average_ms}ms, mean deviation {}ms). Worst: {}ms.",
            number + 1,
            deviation_ms / seconds.max(1),
            series.max_ms
        );
    }
    text.push_str("\nSLOWLOG GET shows which commands were slow, and COMMAND DOCS what each of them costs.\n");
    text
}

const GRAPH: Command = Command::new(Group::Server, "GRAPH", "event", graph)
    .summary("Replies the latencies of an event as a picture of characters.")
    .cost("O(1)")
    .since("2.8.13")
    .flags(FLAGS)
    .tips(TIPS);

fn graph(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let event = args.word();
    let Some((event, series)) = call.shared().latency_events.of(event) else {
        let shown = String::from_utf8_lossy(event);
        return Err(Error::text(format!("ERR No samples available for event '{shown}'")));
    };
    reply.verbatim("txt", drawn(event, &series, ochre_clock::now_ms() / 1000).as_bytes());
    Ok(())
}

/// Columns and rows of the picture.
const GRAPH_COLUMNS: usize = 80;
const GRAPH_ROWS: u64 = 4;

/// One column a sample, newest on the right: a bar of `#`, and below it how long ago it was.
fn drawn(event: &str, series: &Series, now_s: u64) -> String {
    let skipped = series.samples.len().saturating_sub(GRAPH_COLUMNS);
    let samples: Vec<Sample> = series.samples.iter().skip(skipped).copied().collect();
    let high = samples.iter().map(|sample| sample.latency_ms).max().unwrap_or(0);
    let low = samples.iter().map(|sample| sample.latency_ms).min().unwrap_or(0);
    let all_time = series.max_ms;
    let mut text = format!("{event} - high {high} ms, low {low} ms (all time high {all_time} ms)\n");
    text.extend(std::iter::repeat_n('-', GRAPH_COLUMNS));
    text.push('\n');
    for row in (0..GRAPH_ROWS).rev() {
        for sample in &samples {
            // The lowest sample is a line, the highest a full bar.
            let height = (sample.latency_ms - low) * GRAPH_ROWS / (high - low).max(1);
            text.push(if height > row {
                '#'
            } else if row == 0 {
                '_'
            } else {
                ' '
            });
        }
        text.push('\n');
    }
    text.push('\n');
    let ages: Vec<String> = samples.iter().map(|sample| age(now_s.saturating_sub(sample.time_s))).collect();
    for line in 0..ages.iter().map(String::len).max().unwrap_or(0) {
        text.extend(ages.iter().map(|age| char::from(*age.as_bytes().get(line).unwrap_or(&b' '))));
        text.push('\n');
    }
    text
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

const HISTOGRAM: Command = Command::new(Group::Server, "HISTOGRAM", "[command [command ...]]", histogram)
    .summary("Replies how many calls took up to so many microseconds, in powers of two, for commands or all.")
    .cost("O(N) in the number of commands with latencies")
    .since("7.0.0")
    .flags(FLAGS)
    .tips(TIPS);

fn histogram(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let rows = shared.commands.rows();
    let mut wanted: Vec<&'static CommandRow> = Vec::new();
    if args.remaining() == 0 {
        info::each_command(rows, &mut |row| wanted.push(row));
    }
    for name in args.rest().iter() {
        // A container stands for its subcommands.
        if let Some(row) = super::command::find(shared, name) {
            info::each_command(std::slice::from_ref(row), &mut |row| wanted.push(row));
        }
    }
    let length = reply.array_deferred();
    let mut shown = 0;
    for row in wanted {
        let latencies = info::latencies(shared, row);
        if latencies.count() == 0 {
            continue;
        }
        shown += 1;
        reply.bulk(row.full_name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.integer(latencies.count() as i64);
        reply.bulk(b"histogram_usec");
        let buckets = latencies.powers_of_two();
        reply.map(buckets.len());
        for bucket in buckets {
            reply.integer((bucket.upto_ns / 1000) as i64);
            reply.integer(bucket.count as i64);
        }
    }
    reply.set_len_of_map(length, shown);
    Ok(())
}

const HISTORY: Command = Command::new(Group::Server, "HISTORY", "event", history)
    .summary("Replies the seconds in which an event took too long, each with its longest latency in milliseconds.")
    .cost("O(1)")
    .since("2.8.13")
    .flags(FLAGS)
    .tips(TIPS);

fn history(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let series = call.shared().latency_events.of(args.word()).map(|(_, series)| series).unwrap_or_default();
    reply.array(series.samples.len());
    for sample in series.samples {
        reply.array(2);
        reply.integer(sample.time_s as i64);
        reply.integer(sample.latency_ms as i64);
    }
    Ok(())
}

const LATEST: Command = Command::new(Group::Server, "LATEST", "", latest)
    .summary("Replies for each event: when it last took too long, how long then, the longest, the sum, the number.")
    .cost("O(1)")
    .since("2.8.13")
    .history(&[("8.1.0", "The sum of all latencies and their number follow.")])
    .flags(FLAGS)
    .tips(TIPS);

fn latest(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let all = call.shared().latency_events.all();
    reply.array(all.len());
    for (event, series) in all {
        let last = series.samples.back().copied().unwrap_or(Sample { time_s: 0, latency_ms: 0 });
        reply.array(6);
        reply.bulk(event.as_bytes());
        for number in [last.time_s, last.latency_ms, series.max_ms, series.sum_ms, series.count] {
            reply.integer(number as i64);
        }
    }
    Ok(())
}

const RESET: Command = Command::new(Group::Server, "RESET", "[event [event ...]]", reset)
    .summary("Forgets the latencies of events, of all unless told; replies of how many.")
    .cost("O(1)")
    .since("2.8.13")
    .flags(FLAGS)
    .tips(&["request_policy:all_nodes", "response_policy:agg_sum"]);

fn reset(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let events = &call.shared().latency_events;
    let forgotten = match args.remaining() {
        0 => events.reset(None),
        _ => args.rest().iter().map(|event| events.reset(Some(event))).sum(),
    };
    reply.count(forgotten);
    Ok(())
}

const HELP: Command = Command::new(Group::Server, "HELP", "", help)
    .summary("Replies what the subcommands do.")
    .cost("O(1)")
    .since("2.8.13")
    .flags(LOADING | STALE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_has_a_bar_and_an_age_for_each_sample() {
        let mut series = Series { max_ms: 90, ..Series::default() };
        for (time_s, latency_ms) in [(10, 10), (3_000, 30), (4_000, 20)] {
            series.samples.push_back(Sample { time_s, latency_ms });
        }
        let text = drawn("command", &series, 4_007);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "command - high 30 ms, low 10 ms (all time high 90 ms)");
        assert_eq!(lines[2..6], [" # ", " # ", " ##", "_##"]);
        assert_eq!(lines[7..], ["117", "h6s", " m "]);
    }
}
