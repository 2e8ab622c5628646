//! Group cluster: what a server answers that is no part of a cluster.

use super::help::help;
use super::{Command, SessionCall};
use ochre_commands::keys::*;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

pub const COMMANDS: &[Command] = &[ASKING, CLUSTER, CLUSTERSCAN, READONLY, READWRITE];

const ASKING: Command = Command::new(Group::Cluster, "ASKING", "", refuse)
    .summary("Lets the next command reach a slot that is being imported.")
    .cost("O(1)")
    .since("3.0.0")
    .flags(FAST)
    .categories(CAT_CONNECTION);

const READONLY: Command = Command::new(Group::Cluster, "READONLY", "", refuse)
    .summary("Lets the connection read from a replica in a cluster.")
    .cost("O(1)")
    .since("3.0.0")
    .flags(LOADING | STALE | FAST)
    .categories(CAT_CONNECTION);

const READWRITE: Command = Command::new(Group::Cluster, "READWRITE", "", refuse)
    .summary("Ends what READONLY began.")
    .cost("O(1)")
    .since("3.0.0")
    .flags(LOADING | STALE | FAST)
    .categories(CAT_CONNECTION);

const CLUSTERSCAN: Command = Command::new(
    Group::Cluster,
    "CLUSTERSCAN",
    "cursor [MATCH match-pattern] [COUNT count] [TYPE type] [SLOT slot]",
    refuse,
)
.summary("Walks over the keys of all nodes of a cluster, some at a time.")
.cost("O(1) for every call, O(N) for the whole walk, N being the number of keys")
.since("9.1.0")
.keys(&[KeySpec::at(1, NOT_KEY)])
.flags(ochre_commands::spec::READONLY)
.categories(CAT_KEYSPACE)
.tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]);

const CLUSTER: Command = Command::container(Group::Cluster, "CLUSTER", SUBCOMMANDS)
    .summary("Holds the commands about the cluster.")
    .cost("Depends on the subcommand")
    .since("3.0.0");

/// A subcommand of CLUSTER that only a part of a cluster can answer.
const fn part(name: &'static str, synopsis: &'static str, since: &'static str, flags: u32) -> Command {
    Command::new(Group::Cluster, name, synopsis, refuse).since(since).flags(flags)
}

fn refuse(_: &mut SessionCall<'_>, _: &mut Args<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    Err(Error::fixed("ERR This instance has cluster support disabled"))
}

fn keyslot(_: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.integer(i64::from(ochre_digest::key_slot(args.word())));
    Ok(())
}

const SUBCOMMANDS: &[Command] = &[
    Command::new(Group::Cluster, "HELP", "", help)
        .summary("Replies what the subcommands do.")
        .cost("O(1)")
        .since("5.0.0")
        .flags(LOADING | STALE),
    Command::new(Group::Cluster, "KEYSLOT", "key", keyslot)
        .summary("Replies the slot of a key, which is the same in all clusters.")
        .cost("O(N) where N is the number of bytes in the key")
        .since("3.0.0")
        .flags(STALE),
    part("ADDSLOTS", "slot [slot ...]", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Makes this node the owner of slots.")
        .cost("O(N), N being the number of slots"),
    part("ADDSLOTSRANGE", "start-slot end-slot [start-slot end-slot ...]", "7.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Makes this node the owner of ranges of slots.")
        .cost("O(N), N being the number of slots in the ranges"),
    part("BUMPEPOCH", "", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Gives the node a newer configuration epoch than all others.")
        .cost("O(1)")
        .tips(&["nondeterministic_output"]),
    part("CANCELSLOTMIGRATIONS", "", "9.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Calls off all migrations of slots that this node has begun.")
        .cost("O(N), N being the number of migrations"),
    part("COUNT-FAILURE-REPORTS", "node-id", "3.0.0", ADMIN | STALE)
        .summary("Replies how many nodes hold another for failed.")
        .cost("O(N), N being the number of reports")
        .tips(&["nondeterministic_output"]),
    part("COUNTKEYSINSLOT", "slot", "3.0.0", STALE)
        .summary("Replies how many keys a slot has.")
        .cost("O(1)"),
    part("DELSLOTS", "slot [slot ...]", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Lets this node forget who owns slots.")
        .cost("O(N), N being the number of slots"),
    part("DELSLOTSRANGE", "start-slot end-slot [start-slot end-slot ...]", "7.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Lets this node forget who owns ranges of slots.")
        .cost("O(N), N being the number of slots in the ranges"),
    part("FAILOVER", "[FORCE | TAKEOVER]", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Lets a replica take its primary's place.")
        .cost("O(1)"),
    part("FLUSHSLOT", "slot [ASYNC | SYNC]", "9.0.0", WRITE | ADMIN | NO_ASYNC_LOADING)
        .categories(CAT_KEYSPACE)
        .summary("Removes all keys of a slot.")
        .cost("O(N), N being the number of keys in the slot"),
    part("FLUSHSLOTS", "", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Lets this node forget who owns any slot.")
        .cost("O(1)"),
    part("FORGET", "node-id", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Removes a node from this node's view of the cluster.")
        .cost("O(1)"),
    part("GETKEYSINSLOT", "slot count", "3.0.0", STALE)
        .summary("Replies keys of a slot.")
        .cost("O(N), N being the number of keys asked for")
        .tips(&["nondeterministic_output"]),
    part("GETSLOTMIGRATIONS", "", "9.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Replies the migrations of slots that run or have lately run.")
        .cost("O(N), N being the number of migrations"),
    part("INFO", "", "3.0.0", LOADING | STALE)
        .summary("Replies the state of the cluster as this node sees it.")
        .cost("O(1)")
        .tips(&["nondeterministic_output"]),
    part("LINKS", "", "7.0.0", STALE)
        .summary("Replies the connections to other nodes.")
        .cost("O(N), N being the number of nodes")
        .tips(&["nondeterministic_output"]),
    part("MEET", "ip port [cluster-bus-port]", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Introduces this node to another one.")
        .cost("O(1)"),
    part("MIGRATESLOTS", "SLOTSRANGE start-slot end-slot [start-slot end-slot ...] NODE node-id [SLOTSRANGE start-slot end-slot [start-slot end-slot ...] NODE node-id ...]", "9.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .arity(-4) // as the peer counts, which looks at the rest itself
        .summary("Begins to move slots to other nodes.")
        .cost("O(N), N being the number of slots"),
    part("MIGRATION", "<IMPORT start-slot end-slot [start-slot end-slot ...] | CANCEL <ID task-id | ALL> | STATUS <ID task-id | ALL>>", "8.4.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Begins, calls off or shows imports of slots.")
        .cost("O(N), N being the number of slots or tasks"),
    part("MYID", "", "3.0.0", LOADING | STALE)
        .summary("Replies this node's name.")
        .cost("O(1)"),
    part("MYSHARDID", "", "7.2.0", LOADING | STALE)
        .summary("Replies the name of this node's shard.")
        .cost("O(1)")
        .tips(&["nondeterministic_output"]),
    part("NODES", "", "3.0.0", LOADING | STALE)
        .summary("Replies a line about each node.")
        .cost("O(N), N being the number of nodes")
        .tips(&["nondeterministic_output"]),
    part("REPLICAS", "node-id", "5.0.0", ADMIN | STALE)
        .summary("Replies a line about each replica of a node.")
        .cost("O(N), N being the number of replicas")
        .tips(&["nondeterministic_output"]),
    part("REPLICATE", "<node-id | NO ONE>", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Makes this node a replica of another.")
        .cost("O(1)"),
    part("RESET", "[HARD | SOFT]", "3.0.0", ADMIN | NOSCRIPT | STALE)
        .summary("Makes this node one that knows of no cluster.")
        .cost("O(N), N being the number of nodes"),
    part("SAVECONFIG", "", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Writes what this node knows of the cluster to its file.")
        .cost("O(1)"),
    part("SET-CONFIG-EPOCH", "config-epoch", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Sets the configuration epoch of a node that is new.")
        .cost("O(1)"),
    part("SETSLOT", "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE> [TIMEOUT timeout]", "3.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("Says who owns a slot, or where it is moving.")
        .cost("O(1)"),
    part("SHARDS", "", "7.0.0", LOADING | STALE)
        .summary("Replies each shard with its slots and nodes.")
        .cost("O(N), N being the number of nodes")
        .tips(&["nondeterministic_output"]),
    part("SLAVES", "node-id", "3.0.0", ADMIN | STALE)
        .summary("Replies a line about each replica of a node.")
        .cost("O(N), N being the number of replicas")
        .deprecated("5.0.0", "`CLUSTER REPLICAS`")
        .tips(&["nondeterministic_output"]),
    part("SLOT-STATS", "<SLOTSRANGE start-slot end-slot | ORDERBY metric [LIMIT limit] [ASC | DESC]>", "8.0.0", LOADING | STALE)
        .summary("Replies how much slots are used.")
        .cost("O(N log N), N being the number of slots")
        .tips(&["nondeterministic_output", "request_policy:all_shards"]),
    part("SLOTS", "", "3.0.0", LOADING | STALE)
        .summary("Replies each range of slots with its nodes.")
        .cost("O(N), N being the number of nodes")
        .deprecated("7.0.0", "`CLUSTER SHARDS`")
        .tips(&["nondeterministic_output"]),
    part("SYNCSLOTS", "<SYNC task-id start-slot end-slot [start-slot end-slot ...] | RDBCHANNEL task-id | SNAPSHOT-EOF | STREAM-EOF | ACK state offset | FAIL error | CONF option [option ...] value [value ...]>", "9.0.0", ADMIN | STALE | NO_ASYNC_LOADING)
        .summary("What nodes say to each other while slots move.")
        .cost("O(1)"),
];
