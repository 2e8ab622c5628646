//! A real client at a real server, over real sockets, in every layout of threads and shards.

mod abuse;
mod acknowledge;
mod acl;
mod append_only;
mod aside;
mod blocking;
mod clients;
mod connections;
mod dice;
mod expiry;
mod families;
mod fieldsets;
mod following;
mod histories;
mod hostile;
mod loading;
mod memory;
mod migrating;
mod protocol;
mod publishing;
mod replicas;
mod scripting;
mod snapshots;
mod starting;
mod tracking;
mod transactions;
