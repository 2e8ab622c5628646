//! The files that an `include` pattern means.

use std::path::{Path, PathBuf};

use ochre_text::glob;

/// Whether `text` is taken as a pattern rather than a plain name or path.
pub(crate) fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// The existing paths that match `pattern`, sorted. A leading dot is matched only by a dot.
pub(crate) fn expand(pattern: &str) -> Vec<PathBuf> {
    let absolute = pattern.starts_with('/');
    let mut found = vec![PathBuf::from(if absolute { "/" } else { "" })];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|folder| expand_part(folder, part)).collect();
    }
    found.sort();
    found
}

fn expand_part(folder: &Path, part: &str) -> Vec<PathBuf> {
    if !is_pattern(part.as_bytes()) {
        let path = folder.join(part);
        return if path.exists() { vec![path] } else { Vec::new() };
    }
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(listed) else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with('.') == part.starts_with('.'))
        .filter(|name| glob::matches(part.as_bytes(), name.as_bytes(), false))
        .map(|name| folder.join(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_in_folders_and_names_find_sorted_paths_and_no_hidden_ones() {
        let root = std::env::temp_dir().join(format!("ochre-config-expand-{}", std::process::id()));
        for folder in ["a1", "a2", "b", ".a3"] {
            std::fs::create_dir_all(root.join(folder)).expect("the temporary folder can be written");
            std::fs::write(root.join(folder).join("x.conf"), "").expect("the temporary folder can be written");
        }
        let found = |pattern: &str| {
            let paths = expand(&format!("{}/{pattern}", root.display())).into_iter();
            paths.map(|path| path.strip_prefix(&root).expect("all is below the root").to_path_buf()).collect::<Vec<_>>()
        };
        assert_eq!(found("a*/*.conf"), [PathBuf::from("a1/x.conf"), PathBuf::from("a2/x.conf")]);
        assert_eq!(found("[^a]/x.conf"), [PathBuf::from("b/x.conf")]);
        assert!(found("A*/*").is_empty());
        assert!(found("b/y.*").is_empty());
        std::fs::remove_dir_all(&root).expect("the temporary folder can be removed");
    }
}
