//! What a certificate says about its owner: as much of X.509 as is needed for that.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Facts of one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The serial number in upper-case hexadecimal digits.
    pub serial: String,
    /// The end of its validity, Unix time in seconds.
    pub expires_s: i64,
    /// The last common name of its subject, as bytes: it may hold anything.
    pub common_name: Option<Vec<u8>>,
    /// The URIs among its subject's alternative names, in their order.
    pub uris: Vec<String>,
}

impl CertificateFacts {
    /// Nothing when the bytes are no certificate.
    pub fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let mut outer = Der(certificate);
        let mut whole = Der(outer.expect(SEQUENCE)?);
        let mut fields = Der(whole.expect(SEQUENCE)?);
        if fields.peek() == Some(VERSION) {
            fields.next()?;
        }
        let serial = fields.expect(INTEGER)?;
        fields.expect(SEQUENCE)?; // the signature's algorithm
        fields.expect(SEQUENCE)?; // the issuer
        let mut validity = Der(fields.expect(SEQUENCE)?);
        validity.next()?;
        let (kind, end) = validity.next()?;
        let subject = fields.expect(SEQUENCE)?;
        let parsed = EndEntityCert::try_from(certificate).ok();
        let uris = parsed.iter().flat_map(|parsed| parsed.valid_uri_names().map(str::to_owned)).collect();
        let serial = serial.iter().skip_while(|byte| **byte == 0).map(|byte| format!("{byte:02X}")).collect();
        Some(Self { serial, expires_s: time(kind, end)?, common_name: common_name(subject), uris })
    }
}

/// The last common name in a name.
fn common_name(name: &[u8]) -> Option<Vec<u8>> {
    let mut found = None;
    let mut sets = Der(name);
    while let Some((SET, set)) = sets.next() {
        let mut pairs = Der(set);
        while let Some((SEQUENCE, pair)) = pairs.next() {
            let mut pair = Der(pair);
            if pair.expect(OBJECT_IDENTIFIER)? == COMMON_NAME {
                found = pair.next().map(|(_, value)| value.to_vec());
            }
        }
    }
    found
}

/// The Unix time of a `UTCTime` or `GeneralizedTime` in seconds.
fn time(kind: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match kind {
        UTC_TIME => {
            let year: i64 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let number = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day) = (number(0)?, number(2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March put the leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970;
    Some(days * 86_400 + number(4)? * 3600 + number(6)? * 60 + number(8)?)
}

/// A row of elements in DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Tag and content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (digits, rest) =
                rest.split_at_checked(usize::from(first & 0x7F)).filter(|(digits, _)| digits.len() <= 4)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xA0;
/// 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// From the first of March of the year 0 to the first of January 1970.
const DAYS_TO_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_unix_times() {
        assert_eq!(time(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, b"260228235959Z"), Some(1_772_323_199));
        assert_eq!(time(GENERALIZED_TIME, b"20240229120000Z"), Some(1_709_208_000));
        assert_eq!(time(GENERALIZED_TIME, b"20241329120000Z"), None);
        assert_eq!(time(UTC_TIME, b"26"), None);
    }

    #[test]
    fn damaged_certificates_are_none() {
        for bytes in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x30\x01\x02"] {
            assert_eq!(CertificateFacts::read(&CertificateDer::from(bytes.to_vec())), None);
        }
    }
}
