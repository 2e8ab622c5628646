//! Conditions on values that their kinds do not know; the errors have the words of the reference server.

use std::net::{Ipv4Addr, Ipv6Addr};

use ochre_config::Value;

use super::process::{SHUTDOWN_NOSAVE, SHUTDOWN_SAVE};

pub(super) fn snapshot_name(value: &Value) -> Result<(), String> {
    require(!text(value).is_empty(), "dbfilename can't be empty")?;
    require(is_base_name(text(value)), "dbfilename can't be a path, just a filename")
}

pub(super) fn append_name(value: &Value) -> Result<(), String> {
    require(!text(value).is_empty(), "appendfilename can't be empty")?;
    require(is_base_name(text(value)), "appendfilename can't be a path, just a filename")
}

pub(super) fn append_folder_name(value: &Value) -> Result<(), String> {
    require(!text(value).is_empty(), "appenddirname can't be empty")?;
    require(is_base_name(text(value)), "appenddirname can't be a path, just a dirname")
}

pub(super) fn cluster_file(value: &Value) -> Result<(), String> {
    require(!text(value).is_empty(), "cluster-config-file can't be empty")
}

pub(super) fn hostname(value: &Value) -> Result<(), String> {
    let is_fine = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    require(text(value).len() < 256, "Hostnames must be less than 256 characters")?;
    require(text(value).iter().all(is_fine), "Hostnames may only contain alphanumeric characters, hyphens or dots")
}

pub(super) fn announced_name(value: &Value) -> Result<(), String> {
    require(fits_cluster_file(text(value)), "Announced human node name contained invalid character")
}

pub(super) fn announced_address(value: &Value) -> Result<(), String> {
    require(text(value).len() < 46, "cluster-announce-ip is too long")?;
    require(fits_cluster_file(text(value)), "cluster-announce-ip contains invalid character")
}

pub(super) fn ipv4(value: &Value) -> Result<(), String> {
    require(text(value).is_empty() || is_address::<Ipv4Addr>(text(value)), "Invalid IPv4 address")
}

pub(super) fn ipv6(value: &Value) -> Result<(), String> {
    require(text(value).is_empty() || is_address::<Ipv6Addr>(text(value)), "Invalid IPv6 address")
}

pub(super) fn hash_seed(value: &Value) -> Result<(), String> {
    require(text(value).len() <= 256, "hash-seed must be less than or equal to 256 characters")
}

pub(super) fn process_title(value: &Value) -> Result<(), String> {
    let is_template = is_title_template(&String::from_utf8_lossy(text(value)));
    require(is_template, "template format is invalid or contains unknown variables")
}

pub(super) fn shutdown_flags(value: &Value) -> Result<(), String> {
    let both = SHUTDOWN_SAVE | SHUTDOWN_NOSAVE;
    let is_fine = !matches!(value, Value::Flags(bits) if bits & both == both);
    require(is_fine, "shutdown options SAVE and NOSAVE can't be used simultaneously")
}

fn require(is_fine: bool, error: &str) -> Result<(), String> {
    if is_fine { Ok(()) } else { Err(error.to_string()) }
}

fn text(value: &Value) -> &[u8] {
    let Value::Text(text) = value else { unreachable!("the rows that use this check are texts") };
    text
}

fn is_base_name(name: &[u8]) -> bool {
    !name.iter().any(|byte| matches!(byte, b'/' | b'\\'))
}

fn is_address<A: std::str::FromStr>(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<A>().is_ok())
}

/// Whether a text can stand in the cluster's file, whose fields commas, spaces and the like end.
fn fits_cluster_file(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte > b',' && *byte != 0x7f && !b";<=>?@[]^{|}~\\".contains(byte))
}

/// Whether all `{variables}` are known and something would be left to show. `{{` stands for a brace.
fn is_title_template(template: &str) -> bool {
    let mut rest = template;
    let mut shows_something = false;
    while let Some(open) = rest.find('{') {
        shows_something |= !rest[..open].trim_matches(' ').is_empty();
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            (rest, shows_something) = (after, true);
            continue;
        }
        let Some((name, after)) = rest.split_once('}') else { return false };
        // The title itself is empty when a template is judged, and so may the mode be and the socket's path.
        match name {
            "title" | "server-mode" | "unixsocket" => {}
            "listen-addr" | "config-file" | "port" | "tls-port" => shows_something = true,
            _ => return false,
        }
        rest = after;
    }
    shows_something || !rest.trim_matches(' ').is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(condition: fn(&Value) -> Result<(), String>, text: &str, expected: Result<(), &str>) {
        let result = condition(&Value::Text(text.as_bytes().to_vec()));
        assert_eq!(result, expected.map_err(str::to_string), "{text}");
    }

    #[test]
    fn file_names_are_no_paths() {
        check(snapshot_name, "dump.rdb", Ok(()));
        check(snapshot_name, "", Err("dbfilename can't be empty"));
        check(snapshot_name, "a/b", Err("dbfilename can't be a path, just a filename"));
        check(append_name, "", Err("appendfilename can't be empty"));
        check(append_folder_name, "a\\b", Err("appenddirname can't be a path, just a dirname"));
    }

    #[test]
    fn announced_names_hold_only_what_nodes_conf_can() {
        check(hostname, "db-1.example", Ok(()));
        check(hostname, "a_b", Err("Hostnames may only contain alphanumeric characters, hyphens or dots"));
        check(hostname, &"a".repeat(256), Err("Hostnames must be less than 256 characters"));
        check(announced_name, "node_1", Ok(()));
        check(announced_name, "node 1", Err("Announced human node name contained invalid character"));
        check(announced_address, "::1", Ok(()));
        check(announced_address, "1,2", Err("cluster-announce-ip contains invalid character"));
        check(ipv4, "10.0.0.1", Ok(()));
        check(ipv4, "::1", Err("Invalid IPv4 address"));
        check(ipv6, "::1", Ok(()));
        check(ipv6, "10.0.0.1", Err("Invalid IPv6 address"));
    }

    #[test]
    fn a_title_template_knows_its_variables_and_is_not_empty() {
        for fine in ["{title} {listen-addr}", "x", "{{", "a {port} b", "{config-file}"] {
            check(process_title, fine, Ok(()));
        }
        for wrong in ["", " ", "{title}", "{nosuch}", "{title", "a{"] {
            check(process_title, wrong, Err("template format is invalid or contains unknown variables"));
        }
    }
}
