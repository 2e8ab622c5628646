//! What the kernel tells about this process and machine, read from `/proc`; unknown values are zero or empty.

use std::fs;

/// A page of memory and a tick of the CPU clock in the files of `/proc`: the kernel's constants on Linux.
const PAGE_BYTES: u64 = 4096;
const TICKS_PER_SECOND: f64 = 100.0;

/// Resident memory of the process, bytes.
pub fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}

/// The most memory that was ever resident, bytes.
pub fn resident_bytes_max() -> u64 {
    kilobytes_in("/proc/self/status", "VmHWM:")
}

/// Memory of the machine, bytes.
pub fn machine_memory_bytes() -> u64 {
    kilobytes_in("/proc/meminfo", "MemTotal:")
}

fn kilobytes_in(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Processor time in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime {
    pub user_s: f64,
    pub system_s: f64,
    /// Of children that have ended.
    pub children_user_s: f64,
    pub children_system_s: f64,
}

/// Processor time of the whole process, to a hundredth of a second.
pub fn cpu_time() -> CpuTime {
    cpu_time_in("/proc/self/stat")
}

/// Processor time of the thread that the process began with, which is the first event loop.
pub fn cpu_time_of_first_thread() -> CpuTime {
    cpu_time_in(&format!("/proc/self/task/{}/stat", std::process::id()))
}

fn cpu_time_in(path: &str) -> CpuTime {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The name in parentheses may hold spaces; the state follows it, then 10 fields, then the times.
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let seconds =
        |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0) / TICKS_PER_SECOND;
    CpuTime { user_s: seconds(11), system_s: seconds(12), children_user_s: seconds(13), children_system_s: seconds(14) }
}

/// The operating system: name, release and machine.
pub fn name() -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    format!("{} {} {}", read("ostype").trim(), read("osrelease").trim(), std::env::consts::ARCH)
}

/// How many files this process may have open.
pub fn open_files_max() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_this_process() {
        assert!(resident_bytes() > 1 << 16 && resident_bytes_max() >= 1 << 16);
        assert!(machine_memory_bytes() > resident_bytes_max());
        assert!(name().starts_with("Linux "));
        assert!(open_files_max().is_some_and(|files| files > 10));
        assert!(cpu_time().user_s >= cpu_time_of_first_thread().user_s);
    }
}
