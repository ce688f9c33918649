//! A process's resident memory as the kernel counts it, from `/proc/<pid>/status` (proc(5)).

use std::fs;

use crate::Failure;

/// Bytes that are resident now.
pub fn resident(id: u32) -> Result<u64, Failure> {
    read(id, "VmRSS:")
}

/// The most that were resident since the start or since [`forget_peak`].
pub fn peak(id: u32) -> Result<u64, Failure> {
    read(id, "VmHWM:")
}

/// Begins a new peak at what is resident now.
pub fn forget_peak(id: u32) -> Result<(), Failure> {
    Ok(fs::write(format!("/proc/{id}/clear_refs"), "5")?)
}

fn read(id: u32, field: &str) -> Result<u64, Failure> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    parse(&status, field).ok_or_else(|| format!("/proc/{id}/status has no {field}").into())
}

fn parse(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t     300 kB\nVmRSS:\t     200 kB\n";
        assert_eq!(parse(status, "VmRSS:"), Some(204_800));
        assert_eq!(parse(status, "VmHWM:"), Some(307_200));
        assert_eq!(parse(status, "VmSwap:"), None);
    }

    #[test]
    fn a_peak_that_is_forgotten_begins_at_what_is_resident() {
        let id = std::process::id();
        forget_peak(id).unwrap();
        assert!(peak(id).unwrap() > 0 && resident(id).unwrap() > 0);
    }
}
