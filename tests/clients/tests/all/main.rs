//! A real client at a real server, over real sockets, in every layout of threads and shards.

mod clients;
mod connections;
mod expiry;
mod protocol;
mod publishing;
mod starting;
mod transactions;
