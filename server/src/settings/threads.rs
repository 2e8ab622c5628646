//! Settings of threads: how many, how the keyspace is cut for them, how they wait for the network.

use std::num::NonZero;

use ochre_config::{Live, choices};

use super::{INT, Row};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Threads {
    threads: Live<usize>,
    shards: Live<usize>,
    pub(crate) io_backend: Live<IoBackend>,
    pub(crate) prefetch_batch_max_size: Live<usize>,
}

choices! {
    /// How an event loop talks to the kernel.
    pub(crate) enum IoBackend {
        /// io_uring where the kernel has it.
        Auto = "auto",
        IoUring = "io_uring",
        Epoll = "epoll",
    }
}

pub(super) const ROWS: &[Row] = &[
    Row::number("threads", 0..=1024, "0", "Event loops, each a thread that runs commands; 0 for one per core.")
        .at_start()
        .mirrored(|live| &live.threads.threads),
    Row::number(
        "shards",
        0..=1024,
        "0",
        "Parts of the keyspace that lock apart; 0 for a number that fits the threads.",
    )
    .at_start()
    .mirrored(|live| &live.threads.shards),
    Row::choice::<IoBackend>("io-backend", "auto", "How event loops talk to the kernel.")
        .at_start()
        .mirrored(|live| &live.threads.io_backend),
    Row::number("prefetch-batch-max-size", 0..=128, "16", "Commands of a pipeline whose keys are fetched together.")
        .mirrored(|live| &live.threads.prefetch_batch_max_size),
    Row::number("io-threads", 1..=256, "1", "Threads that read and write for clients; `threads` says how many here.")
        .without_effect(),
    Row::switch("io-threads-do-reads", false, "Whether those threads read, too.").at_start().without_effect(),
    Row::switch("io-threads-always-active", false, "Whether those threads run under any load.")
        .hidden()
        .without_effect(),
    Row::number("min-io-threads-avoid-copy-reply", INT, "7", "Threads from which on replies are not copied.")
        .hidden()
        .without_effect(),
    Row::number("min-string-size-avoid-copy-reply", INT, "16384", "Bytes from which on a reply is not copied.")
        .hidden()
        .without_effect(),
    Row::number("min-string-size-avoid-copy-reply-threaded", INT, "65536", "The same when there are such threads.")
        .hidden()
        .without_effect(),
    Row::optional("server_cpulist", "Cores for the threads of the server.")
        .or(&["server-cpulist"])
        .at_start()
        .without_effect(),
    Row::optional("bio_cpulist", "Cores for background threads.").or(&["bio-cpulist"]).at_start().without_effect(),
    Row::optional("aof_rewrite_cpulist", "Cores for rewriting the append-only file.")
        .or(&["aof-rewrite-cpulist"])
        .at_start()
        .without_effect(),
    Row::optional("bgsave_cpulist", "Cores for saving.").or(&["bgsave-cpulist"]).at_start().without_effect(),
];

impl Threads {
    /// How many event loops to run: at least 1.
    pub(crate) fn count(&self) -> usize {
        match self.threads.get() {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            threads => threads,
        }
    }

    /// How many shards to cut the keyspace into: a power of two, 1 for one thread.
    pub(crate) fn shard_count(&self) -> usize {
        match (self.shards.get(), self.count()) {
            (0, 1) => 1,
            (0, threads) => (16 * threads).next_power_of_two().clamp(16, 1024),
            (shards, _) => shards.next_power_of_two(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;

    #[test]
    fn shards_are_a_power_of_two_that_follows_the_threads() {
        let check = |line: &str, threads, shards| {
            let settings = settings(line);
            assert_eq!((settings.threads.count(), settings.threads.shard_count()), (threads, shards), "{line}");
        };
        check("threads 1", 1, 1);
        check("threads 2", 2, 32);
        check("threads 3", 3, 64);
        check("threads 1024", 1024, 1024);
        check("threads 4\nshards 3", 4, 4);
        check("threads 1\nshards 128", 1, 128);
    }
}
