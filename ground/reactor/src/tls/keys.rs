//! Reading private keys, also those that a password protects.

use pkcs8::EncryptedPrivateKeyInfo;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The key in a PEM file's text.
///
/// # Errors
/// A text that says what is missing; never the password.
pub(super) fn read(pem: &[u8], password: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if let Ok(key) = PrivateKeyDer::from_pem_slice(pem) {
        let text = String::from_utf8_lossy(pem);
        return if text.contains("Proc-Type: 4,ENCRYPTED") { Err(OLD_ENCRYPTION.into()) } else { Ok(key) };
    }
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).count();
    let text = String::from_utf8_lossy(pem);
    let Some(start) = text.find(ENCRYPTED_BEGIN) else {
        return Err(match sections {
            0 if text.contains("Proc-Type: 4,ENCRYPTED") => OLD_ENCRYPTION.into(),
            _ => "there is no private key in the file".into(),
        });
    };
    if password.is_empty() {
        return Err("the key is encrypted, and tls-key-file-pass is not set".into());
    }
    let (_, document) = pkcs8::SecretDocument::from_pem(text[start..].trim())
        .map_err(|error| format!("the key is damaged: {error}"))?;
    let encrypted = EncryptedPrivateKeyInfo::try_from(document.as_bytes())
        .map_err(|error| format!("the key is damaged: {error}"))?;
    let plain = encrypted
        .decrypt(password)
        .map_err(|_| "the key cannot be decrypted: a wrong tls-key-file-pass, or an old cipher".to_owned())?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}

const ENCRYPTED_BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const OLD_ENCRYPTION: &str =
    "the key is encrypted in an old way; `openssl pkcs8 -topk8 -v2 aes256` makes one that can be read";
