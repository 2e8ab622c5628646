//! What a command is: its name, words, keys and flags; the one truth that COMMAND, access control, the cluster and the locks read.

use crate::keys::KeySpec;
use ochre_resp::Args as Words;

/// Sets of bits with names, shared by command flags, key flags and ACL categories. The bits are plain integers, because `|`
/// works on nothing else in a constant.
macro_rules! bits {
    ($(#[$doc:meta])* $name:ident : $repr:ty { $($constant:ident = $bit:expr, $word:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct $name(pub $repr);

        $(pub const $constant: $repr = 1 << $bit;)*

        impl $name {
            /// Every bit beside the word that users see, in the order in which replies list them.
            pub const WORDS: &'static [($repr, &'static str)] = &[$(($constant, $word)),*];

            pub const NONE: $name = $name(0);

            /// Whether all bits of `other` are set.
            pub const fn has(self, other: $repr) -> bool {
                self.0 & other == other
            }

            /// Whether any bit of `other` is set.
            pub const fn any(self, other: $repr) -> bool {
                self.0 & other != 0
            }

            pub const fn with(self, other: $repr) -> $name {
                $name(self.0 | other)
            }

            pub const fn without(self, other: $repr) -> $name {
                $name(self.0 & !other)
            }

            /// The words of the bits that are set.
            pub fn words(self) -> impl Iterator<Item = &'static str> {
                Self::WORDS.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, word)| *word)
            }
        }
    };
}
pub(crate) use bits;

bits! {
    /// What a command may do and when it may run: the flags of COMMAND INFO.
    Flags: u32 {
        WRITE = 0, "write";
        READONLY = 1, "readonly";
        DENYOOM = 2, "denyoom";
        ADMIN = 3, "admin";
        PUBSUB = 4, "pubsub";
        NOSCRIPT = 5, "noscript";
        BLOCKING = 6, "blocking";
        LOADING = 7, "loading";
        STALE = 8, "stale";
        SKIP_MONITOR = 9, "skip_monitor";
        SKIP_COMMANDLOG = 10, "skip_commandlog";
        ASKING = 11, "asking";
        FAST = 12, "fast";
        NO_AUTH = 13, "no_auth";
        MAY_REPLICATE = 14, "may_replicate";
        NO_MANDATORY_KEYS = 15, "no_mandatory_keys";
        PROTECTED = 16, "protected";
        NO_ASYNC_LOADING = 17, "no_async_loading";
        NO_MULTI = 18, "no_multi";
        ALLOW_BUSY = 19, "allow_busy";
        MOVABLEKEYS = 20, "movablekeys";
    }
}

bits! {
    /// ACL categories.
    Categories: u32 {
        CAT_KEYSPACE = 0, "@keyspace";
        CAT_READ = 1, "@read";
        CAT_WRITE = 2, "@write";
        CAT_SET = 3, "@set";
        CAT_SORTEDSET = 4, "@sortedset";
        CAT_LIST = 5, "@list";
        CAT_HASH = 6, "@hash";
        CAT_STRING = 7, "@string";
        CAT_BITMAP = 8, "@bitmap";
        CAT_HYPERLOGLOG = 9, "@hyperloglog";
        CAT_GEO = 10, "@geo";
        CAT_STREAM = 11, "@stream";
        CAT_PUBSUB = 12, "@pubsub";
        CAT_ADMIN = 13, "@admin";
        CAT_FAST = 14, "@fast";
        CAT_SLOW = 15, "@slow";
        CAT_BLOCKING = 16, "@blocking";
        CAT_DANGEROUS = 17, "@dangerous";
        CAT_CONNECTION = 18, "@connection";
        CAT_TRANSACTION = 19, "@transaction";
        CAT_SCRIPTING = 20, "@scripting";
    }
}

/// The chapter of the manual that a command belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Pubsub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Hyperloglog,
    Cluster,
    Sentinel,
    Geo,
    Stream,
    Bitmap,
}

impl Group {
    /// The name in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::Pubsub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::Hyperloglog => "hyperloglog",
            Group::Cluster => "cluster",
            Group::Sentinel => "sentinel",
            Group::Geo => "geo",
            Group::Stream => "stream",
            Group::Bitmap => "bitmap",
        }
    }

    /// The ACL category that belongs to every command of the group.
    const fn category(self) -> u32 {
        match self {
            Group::Generic => CAT_KEYSPACE,
            Group::String => CAT_STRING,
            Group::List => CAT_LIST,
            Group::Set => CAT_SET,
            Group::SortedSet => CAT_SORTEDSET,
            Group::Hash => CAT_HASH,
            Group::Pubsub => CAT_PUBSUB,
            Group::Transactions => CAT_TRANSACTION,
            Group::Connection => CAT_CONNECTION,
            Group::Scripting => CAT_SCRIPTING,
            Group::Hyperloglog => CAT_HYPERLOGLOG,
            Group::Geo => CAT_GEO,
            Group::Stream => CAT_STREAM,
            Group::Bitmap => CAT_BITMAP,
            Group::Server | Group::Cluster | Group::Sentinel => 0,
        }
    }
}

/// Which members a command goes through that may be a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathers {
    /// Those of all its keys.
    All,
    /// Those of the smallest, each looked up in all others.
    Smallest,
}

/// Which shards a data command needs before it runs.
#[derive(Clone, Copy, Debug)]
pub enum Locks {
    /// Those of the keys that the key specs find.
    Keys,
    /// All of them: commands over the whole keyspace, and those whose keys cannot be told beforehand.
    All,
    /// Those of the words with these numbers; all of them for `None`: where the words say more than the key specs do (SORT).
    Words(fn(Words<'_>) -> Option<Vec<usize>>),
    /// The one shard whose number stands in the upper bits of the cursor, the first argument (SCAN).
    Cursor,
}

impl PartialEq for Locks {
    /// Whether both are of the same kind: functions have no identity to compare.
    fn eq(&self, other: &Locks) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// Everything about a command but its function.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Upper case; a subcommand's own word alone (`KILL`).
    pub name: &'static str,
    /// The words after the name, in the manual's notation.
    pub synopsis: &'static str,
    pub group: Group,
    pub summary: &'static str,
    /// Complexity, in the manual's words.
    pub cost: &'static str,
    /// The version of the peer in which the command first appeared.
    pub since: &'static str,
    /// Version since which the command is deprecated, and what to use; empty when it is not.
    pub deprecated: (&'static str, &'static str),
    /// Changes of behaviour: version and what changed.
    pub history: &'static [(&'static str, &'static str)],
    pub flags: Flags,
    /// Categories beyond those that group and flags imply.
    pub extra_categories: Categories,
    /// Categories that group and flags imply but the command has not.
    pub missing_categories: Categories,
    pub keys: &'static [KeySpec],
    pub tips: &'static [&'static str],
    /// Overrides the arity that the synopsis spells; 0 when it does not.
    pub arity_override: i16,
    pub locks: Locks,
    /// Set when the command may have to go through many members of several keys.
    pub gathers: Option<Gathers>,
    /// Word of the first member or field that is looked for in the collection at the one key, so that it can be fetched ahead; 0
    /// when there is none.
    pub member_word: u8,
    /// Word of the score that this member is to get; 0 when it gets none.
    pub score_word: u8,
}

impl Spec {
    /// A spec with nothing but a name, words and a group.
    pub const fn new(name: &'static str, synopsis: &'static str, group: Group) -> Spec {
        Spec {
            name,
            synopsis,
            group,
            summary: "",
            cost: "",
            since: "1.0.0",
            deprecated: ("", ""),
            history: &[],
            flags: Flags::NONE,
            extra_categories: Categories::NONE,
            missing_categories: Categories::NONE,
            keys: &[],
            tips: &[],
            arity_override: 0,
            locks: Locks::Keys,
            gathers: None,
            member_word: 0,
            score_word: 0,
        }
    }

    /// The ACL categories: the group's, those that flags imply, and the command's own.
    pub const fn categories(&self) -> Categories {
        let mut all = Categories(self.group.category()).with(self.extra_categories.0);
        let flags = self.flags;
        if flags.has(WRITE) {
            all = all.with(CAT_WRITE);
        }
        if flags.has(READONLY) && !matches!(self.group, Group::Scripting) {
            all = all.with(CAT_READ);
        }
        if flags.has(ADMIN) {
            all = all.with(CAT_ADMIN).with(CAT_DANGEROUS);
        }
        if flags.has(PUBSUB) {
            all = all.with(CAT_PUBSUB);
        }
        if flags.has(BLOCKING) {
            all = all.with(CAT_BLOCKING);
        }
        all = all.with(if flags.has(FAST) { CAT_FAST } else { CAT_SLOW });
        all.without(self.missing_categories.0)
    }

    /// Number of words with the name: exact when positive, a minimum when negative. `container_words` is 1 for a
    /// subcommand (its container's name counts), else 0.
    pub fn arity(&self, container_words: i16) -> i16 {
        if self.arity_override != 0 {
            return self.arity_override;
        }
        let (required, open_ended) = crate::synopsis::required_words(self.synopsis);
        let arity = required as i16 + 1 + container_words;
        if open_ended { -arity } else { arity }
    }
}

/// A command: its spec, the function behind it, and its subcommands when it is a container.
///
/// `F` is the kind of function: `crate::DataFn` for commands on data, the server's own for those on sessions.
#[derive(Clone, Copy, Debug)]
pub struct Command<F: 'static> {
    pub spec: Spec,
    /// `None` for a container, whose subcommands do the work.
    pub run: Option<F>,
    pub subcommands: &'static [Command<F>],
}

impl<F: Copy> Command<F> {
    /// A command of `group`; `synopsis` is what follows the name.
    pub const fn new(group: Group, name: &'static str, synopsis: &'static str, run: F) -> Self {
        Command { spec: Spec::new(name, synopsis, group), run: Some(run), subcommands: &[] }
    }

    /// A command that only holds subcommands.
    pub const fn container(group: Group, name: &'static str, subcommands: &'static [Command<F>]) -> Self {
        let mut spec = Spec::new(name, "subcommand [arg ...]", group);
        spec.arity_override = -2;
        Command { spec, run: None, subcommands }
    }

    pub const fn summary(mut self, text: &'static str) -> Self {
        self.spec.summary = text;
        self
    }

    pub const fn cost(mut self, text: &'static str) -> Self {
        self.spec.cost = text;
        self
    }

    pub const fn since(mut self, version: &'static str) -> Self {
        self.spec.since = version;
        self
    }

    /// Deprecated since `version`; `instead` names what replaces it.
    pub const fn deprecated(mut self, version: &'static str, instead: &'static str) -> Self {
        self.spec.deprecated = (version, instead);
        self
    }

    pub const fn history(mut self, changes: &'static [(&'static str, &'static str)]) -> Self {
        self.spec.history = changes;
        self
    }

    pub const fn flags(mut self, flags: u32) -> Self {
        self.spec.flags = Flags(flags);
        self
    }

    /// Adds ACL categories beyond those that group and flags imply.
    pub const fn categories(mut self, categories: u32) -> Self {
        self.spec.extra_categories = Categories(categories);
        self
    }

    /// Takes away ACL categories that group and flags imply.
    pub const fn not_in(mut self, categories: u32) -> Self {
        self.spec.missing_categories = Categories(categories);
        self
    }

    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        self.spec.keys = keys;
        self
    }

    /// The command looks for the member or field at word `member` in the collection at its key.
    pub const fn member(mut self, member: u8) -> Self {
        self.spec.member_word = member;
        self
    }

    /// As `member`, and gives it the score at word `score`.
    pub const fn scored_member(mut self, score: u8, member: u8) -> Self {
        self.spec.score_word = score;
        self.member(member)
    }

    pub const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.spec.tips = tips;
        self
    }

    /// Overrides the arity that the synopsis spells; say why beside it.
    pub const fn arity(mut self, arity: i16) -> Self {
        self.spec.arity_override = arity;
        self
    }

    pub const fn locks(mut self, locks: Locks) -> Self {
        self.spec.locks = locks;
        self
    }

    /// Sets which members it goes through, of those of the keys that the last key spec names.
    pub const fn gathers(mut self, gathers: Gathers) -> Self {
        self.spec.gathers = Some(gathers);
        self
    }
}
