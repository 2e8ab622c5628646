//! The words that users choose versions and ciphers with: those of OpenSSL, as far as there is something to choose.

use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion};

/// The versions that a list such as `TLSv1.2 TLSv1.3` names; all when it is empty.
///
/// # Errors
/// A text about a version that does not exist here, or a list without any.
pub(super) fn versions(list: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    if list.trim().is_empty() {
        return Ok(rustls::ALL_VERSIONS.to_vec());
    }
    let mut versions = Vec::new();
    for word in list.split([' ', ',']).filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().as_str() {
            "tlsv1.3" => versions.push(&rustls::version::TLS13),
            "tlsv1.2" => versions.push(&rustls::version::TLS12),
            // Both have been withdrawn since 2021 (RFC 8996); a list that names a newer version beside them works.
            "tlsv1" | "tlsv1.1" => {}
            _ => return Err(format!("Invalid tls-protocols specified: {word}")),
        }
    }
    if versions.is_empty() {
        return Err("tls-protocols names no version that is supported: TLSv1.2 and TLSv1.3 are".into());
    }
    Ok(versions)
}

/// How OpenSSL calls a version.
pub(super) fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => "unknown",
    }
}

/// Chooses among the provider's suites: for TLS 1.2 by a cipher list, for TLS 1.3 by names; an empty list takes all.
///
/// # Errors
/// A text when a list leaves nothing.
pub(super) fn choose(provider: &mut CryptoProvider, ciphers: &str, suites: &str) -> Result<(), String> {
    let of_version = |version: ProtocolVersion| {
        let all = provider.cipher_suites.iter().copied();
        all.filter(move |suite| suite.version().version == version).collect::<Vec<_>>()
    };
    let mut chosen = chosen_13(&of_version(ProtocolVersion::TLSv1_3), suites)?;
    chosen.extend(chosen_12(&of_version(ProtocolVersion::TLSv1_2), ciphers)?);
    provider.cipher_suites = chosen;
    Ok(())
}

fn chosen_13(all: &[SupportedCipherSuite], list: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    if list.trim().is_empty() {
        return Ok(all.to_vec());
    }
    let name = |suite: &SupportedCipherSuite| match suite.suite() {
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        _ => "",
    };
    let words = list.split([':', ',', ' ']).filter(|word| !word.is_empty());
    let chosen: Vec<_> =
        words.filter_map(|word| all.iter().copied().find(|suite| name(suite).eq_ignore_ascii_case(word))).collect();
    if chosen.is_empty() {
        Err("Failed to configure ciphersuites: none of them is supported".into())
    } else {
        Ok(chosen)
    }
}

/// OpenSSL's list language: names and keywords, `-` and `!` to take away, `+` to join keywords.
fn chosen_12(all: &[SupportedCipherSuite], list: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    if list.trim().is_empty() {
        return Ok(all.to_vec());
    }
    let mut chosen: Vec<SupportedCipherSuite> = Vec::new();
    let mut banned: Vec<CipherSuite> = Vec::new();
    for word in list.split([':', ',', ' ', ';']).filter(|word| !word.is_empty() && !word.starts_with('@')) {
        let (mark, word) = match word.as_bytes()[0] {
            mark @ (b'-' | b'!' | b'+') => (mark, &word[1..]),
            _ => (0, word),
        };
        let fits = |suite: &SupportedCipherSuite| word.split('+').all(|part| is_called(suite.suite(), part));
        match mark {
            b'-' => chosen.retain(|suite| !fits(suite)),
            b'!' => {
                chosen.retain(|suite| !fits(suite));
                banned.extend(all.iter().filter(|suite| fits(suite)).map(SupportedCipherSuite::suite));
            }
            b'+' => {
                let (last, first): (Vec<_>, Vec<_>) = chosen.iter().partition(|suite| fits(suite));
                chosen = first.into_iter().chain(last).collect();
            }
            _ => {
                for suite in all.iter().filter(|suite| fits(suite) && !banned.contains(&suite.suite())) {
                    if !chosen.contains(suite) {
                        chosen.push(*suite);
                    }
                }
            }
        }
    }
    if chosen.is_empty() { Err("Failed to configure ciphers: none of them is supported".into()) } else { Ok(chosen) }
}

/// Whether a word of a cipher list means this suite of TLS 1.2.
fn is_called(suite: CipherSuite, word: &str) -> bool {
    let name = match suite {
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return false,
    };
    let word = word.to_ascii_uppercase();
    match word.as_str() {
        "DEFAULT" | "ALL" | "HIGH" | "COMPLEMENTOFDEFAULT" | "ECDHE" | "EECDH" | "KECDHE" | "KEECDH" | "TLSV1.2" => {
            true
        }
        "AESGCM" => name.contains("-GCM-"),
        "AES" => name.contains("-AES"),
        "AECDSA" => name.contains("-ECDSA-"),
        "ARSA" => name.contains("-RSA-"),
        // Also one part of a name: ECDSA, RSA, AES128, AES256, CHACHA20, SHA256, SHA384.
        word => name == word || name.split('-').any(|part| part == word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(list: &str) -> Result<Vec<CipherSuite>, String> {
        let all = rustls::crypto::ring::default_provider().cipher_suites;
        let all: Vec<_> = all.into_iter().filter(|suite| version_name(suite.version().version) == "TLSv1.2").collect();
        chosen_12(&all, list).map(|suites| suites.iter().map(SupportedCipherSuite::suite).collect())
    }

    #[test]
    fn a_cipher_list_chooses_as_that_of_openssl_does() {
        use CipherSuite as C;
        assert_eq!(chosen("DEFAULT").expect("all are there").len(), 6);
        let rsa_first = chosen("ECDHE-RSA-AES128-GCM-SHA256:ECDSA+AES256").expect("both exist");
        assert_eq!(rsa_first, [C::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]);
        assert_eq!(chosen("HIGH:!aRSA:-CHACHA20").expect("some are left").len(), 2);
        assert_eq!(
            chosen("AES128-SHA256").expect_err("no such cipher"),
            "Failed to configure ciphers: none of them is supported"
        );
        let moved = chosen("ALL:+ECDSA").expect("all are there");
        assert_eq!(moved[3..].iter().filter(|suite| is_called(**suite, "ECDSA")).count(), 3);
    }

    #[test]
    fn versions_are_named_as_by_openssl() {
        assert_eq!(versions("").expect("all").len(), 2);
        assert_eq!(versions("TLSv1 TLSv1.1 TLSv1.2").expect("one is left"), [&rustls::version::TLS12]);
        assert!(versions("TLSv1").is_err() && versions("SSLv3").is_err());
    }
}
