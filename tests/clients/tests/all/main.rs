//! A real client at a real server, over real sockets, in every layout of threads and shards.

mod protocol;
