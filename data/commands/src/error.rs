//! Every error a command can reply, with its text on the wire; this file is the texts' one home.

use std::borrow::Cow;
use std::fmt;

/// An error reply: the text after the `-` on the wire, beginning with its code (`ERR`, `WRONGTYPE`, …).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Cow<'static, str>);

impl Error {
    pub const SYNTAX: Error = Error::fixed("ERR syntax error");
    pub const WRONG_TYPE: Error = Error::fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const NOT_AN_INTEGER: Error = Error::fixed("ERR value is not an integer or out of range");
    pub const NOT_A_FLOAT: Error = Error::fixed("ERR value is not a valid float");
    pub const OUT_OF_RANGE: Error = Error::fixed("ERR value is out of range");
    pub const NOT_POSITIVE: Error = Error::fixed("ERR value is out of range, must be positive");
    pub const INDEX_OUT_OF_RANGE: Error = Error::fixed("ERR index out of range");
    pub const OFFSET_OUT_OF_RANGE: Error = Error::fixed("ERR offset is out of range");
    pub const NUMKEYS: Error = Error::fixed("ERR numkeys should be greater than 0");
    pub const TOO_MANY_KEYS: Error = Error::fixed("ERR Number of keys can't be greater than number of args");
    pub const NUMFIELDS: Error =
        Error::fixed("ERR numfields should be greater than 0 and match the provided number of fields");
    pub const NEGATIVE_LIMIT: Error = Error::fixed("ERR LIMIT can't be negative");
    pub const NEGATIVE_COUNT: Error = Error::fixed("ERR COUNT can't be negative");
    pub const NEGATIVE_MAXLEN: Error = Error::fixed("ERR MAXLEN can't be negative");
    pub const RANK_ZERO: Error = Error::fixed(
        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
         or use negative to start from the end of the list",
    );
    pub const COUNT_NOT_POSITIVE: Error = Error::fixed("ERR count should be greater than 0");
    pub const INT_RANGE: Error =
        Error::fixed("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
    pub const LOADING: Error = Error::fixed("LOADING Redis is loading the dataset in memory");
    pub const TARGET_EXISTS: Error = Error::fixed("BUSYKEY Target key name already exists.");
    pub const RESTORE_TTL: Error = Error::fixed("ERR Invalid TTL value, must be >= 0");
    pub const RESTORE_IDLE_TIME: Error = Error::fixed("ERR Invalid IDLETIME value, must be >= 0");
    pub const RESTORE_FREQUENCY: Error = Error::fixed("ERR Invalid FREQ value, must be >= 0 and <= 255");
    pub const PAYLOAD_FOOTER: Error = Error::fixed("ERR DUMP payload version or checksum are wrong");
    pub const PAYLOAD_VALUE: Error = Error::fixed("ERR Bad data format");
    pub const NO_SUCH_KEY: Error = Error::fixed("ERR no such key");
    pub const SAME_OBJECT: Error = Error::fixed("ERR source and destination objects are the same");
    pub const OVERFLOW: Error = Error::fixed("ERR increment or decrement would overflow");
    pub const NAN_OR_INFINITY: Error = Error::fixed("ERR increment would produce NaN or Infinity");
    pub const INCREMENT_NAN_OR_INFINITY: Error = Error::fixed("ERR value is NaN or Infinity");
    pub const HASH_VALUE_NOT_AN_INTEGER: Error = Error::fixed("ERR hash value is not an integer");
    pub const HASH_VALUE_NOT_A_FLOAT: Error = Error::fixed("ERR hash value is not a float");
    pub const DECREMENT_OVERFLOW: Error = Error::fixed("ERR decrement would overflow");
    pub const BAD_DIGEST: Error = Error::fixed("ERR must be exactly 16 hexadecimal characters");
    pub const STRING_TOO_LONG: Error = Error::fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub const BIT_OFFSET: Error = Error::fixed("ERR bit offset is not an integer or out of range");
    pub const BIT_VALUE: Error = Error::fixed("ERR bit is not an integer or out of range");
    pub const DB_INDEX: Error = Error::fixed("ERR DB index is out of range");
    pub const INVALID_DB_INDEX: Error = Error::fixed("ERR invalid DB index");
    pub const INVALID_CURSOR: Error = Error::fixed("ERR invalid cursor");
    pub const NOVALUES: Error = Error::fixed("ERR NOVALUES option can only be used in HSCAN");
    pub const NOSCORES: Error = Error::fixed("ERR NOSCORES option can only be used in ZSCAN");
    pub const SCORE_BOUND: Error = Error::fixed("ERR min or max is not a float");
    pub const MEMBER_BOUND: Error = Error::fixed("ERR min or max not valid string range item");
    pub const SCORE_IS_NAN: Error = Error::fixed("ERR resulting score is not a number (NaN)");
    pub const XX_AND_NX: Error = Error::fixed("ERR XX and NX options at the same time are not compatible");
    pub const GT_LT_AND_NX: Error = Error::fixed("ERR GT, LT, and/or NX options at the same time are not compatible");
    pub const INCR_OF_MANY: Error = Error::fixed("ERR INCR option supports a single increment-element pair");
    pub const LIMIT_OF_RANKS: Error =
        Error::fixed("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
    pub const SCORES_BY_LEX: Error =
        Error::fixed("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    pub const WEIGHT: Error = Error::fixed("ERR weight value is not a float");
    pub const COUNT: Error = Error::fixed("ERR count should be greater than 0");
    pub const GEO_UNIT: Error = Error::fixed("ERR unsupported unit provided. please use M, KM, FT, MI");
    pub const GEO_RADIUS: Error = Error::fixed("ERR need numeric radius");
    pub const GEO_NEGATIVE_RADIUS: Error = Error::fixed("ERR radius cannot be negative");
    pub const GEO_WIDTH: Error = Error::fixed("ERR need numeric width");
    pub const GEO_HEIGHT: Error = Error::fixed("ERR need numeric height");
    pub const GEO_NEGATIVE_BOX: Error = Error::fixed("ERR height or width cannot be negative");
    pub const GEO_CORNERS: Error = Error::fixed("ERR invalid number of vertices");
    pub const GEO_FEW_CORNERS: Error = Error::fixed("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
    pub const GEO_COUNT: Error = Error::fixed("ERR COUNT must be > 0");
    pub const GEO_ANY: Error = Error::fixed("ERR the ANY argument requires COUNT argument");
    pub const GEO_STORE_WITH: Error =
        Error::fixed("ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
    pub const GEO_SEARCH_STORE_WITH: Error =
        Error::fixed("ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
    pub const INVALID_KEYS: Error = Error::fixed("ERR Invalid arguments specified for command");
    pub const TIMEOUT_NOT_A_FLOAT: Error = Error::fixed("ERR timeout is not a float or out of range");
    pub const TIMEOUT_NOT_AN_INTEGER: Error = Error::fixed("ERR timeout is not an integer or out of range");
    pub const TIMEOUT_NEGATIVE: Error = Error::fixed("ERR timeout is negative");
    pub const TIMEOUT_OUT_OF_RANGE: Error = Error::fixed("ERR timeout is out of range");
    pub const STREAM_ID: Error = Error::fixed("ERR Invalid stream ID specified as stream command argument");
    pub const STREAM_ID_ZERO: Error = Error::fixed("ERR The ID specified in XADD must be greater than 0-0");
    pub const STREAM_ID_TOO_SMALL: Error =
        Error::fixed("ERR The ID specified in XADD is equal or smaller than the target stream top item");
    pub const STREAM_EXHAUSTED: Error =
        Error::fixed("ERR The stream has exhausted the last possible ID, unable to add more items");
    pub const STREAM_TOO_LARGE: Error = Error::fixed("ERR Elements are too large to be stored");
    pub const STREAM_RANGE_START: Error = Error::fixed("ERR invalid start ID for the interval");
    pub const STREAM_RANGE_END: Error = Error::fixed("ERR invalid end ID for the interval");
    pub const STREAM_MAXLEN: Error = Error::fixed("ERR The MAXLEN argument must be >= 0.");
    pub const STREAM_LIMIT: Error = Error::fixed("ERR The LIMIT argument must be >= 0.");
    pub const STREAM_TWO_THRESHOLDS: Error =
        Error::fixed("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
    pub const STREAM_LIMIT_OF_NOTHING: Error =
        Error::fixed("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
    pub const STREAM_LIMIT_OF_EXACT: Error =
        Error::fixed("ERR syntax error, LIMIT cannot be used without the special ~ option");
    pub const STREAM_NO_THRESHOLD: Error =
        Error::fixed("ERR syntax error, XTRIM must be called with at least one trimming strategy");
    pub const STREAM_UNBALANCED: Error =
        Error::fixed("ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.");
    pub const STREAM_UNBALANCED_GROUP: Error = Error::fixed(
        "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
    );
    pub const STREAM_GROUP_OF_XREAD: Error =
        Error::fixed("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.");
    pub const STREAM_NOACK_OF_XREAD: Error =
        Error::fixed("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.");
    pub const STREAM_MISSING_GROUP: Error = Error::fixed("ERR Missing GROUP option for XREADGROUP");
    pub const STREAM_NEW_OF_XREAD: Error = Error::fixed(
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
    );
    pub const STREAM_LAST_OF_GROUP: Error = Error::fixed(
        "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
         specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
    );
    pub const STREAM_NEWEST_OF_GROUP: Error = Error::fixed(
        "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
         specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.",
    );
    pub const STREAM_MAXCOUNT: Error = Error::fixed("ERR MAXCOUNT must be a positive integer");
    pub const STREAM_MAXSIZE: Error = Error::fixed("ERR MAXSIZE must be a positive integer");
    pub const STREAM_MAXCOUNT_BELOW_COUNT: Error = Error::fixed("ERR MAXCOUNT must be greater than or equal to COUNT");
    pub const STREAM_CLAIM_NOT_AN_INTEGER: Error = Error::fixed("ERR min-idle-time is not an integer");
    pub const STREAM_CLAIM_NEGATIVE: Error = Error::fixed("ERR min-idle-time must be a positive integer");
    pub const STREAM_GROUP_EXISTS: Error = Error::fixed("BUSYGROUP Consumer Group name already exists");
    pub const STREAM_GROUP_NEEDS_KEY: Error = Error::fixed(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM \
         option to create an empty stream automatically.",
    );
    pub const STREAM_ENTRIES_READ: Error = Error::fixed("ERR value for ENTRIESREAD must be positive or -1");
    pub const STREAM_ENTRIES_ADDED: Error = Error::fixed("ERR entries_added must be positive");
    pub const STREAM_ENTRIES_ADDED_TOO_FEW: Error =
        Error::fixed("ERR The entries_added specified in XSETID is smaller than the target stream length");
    pub const STREAM_LAST_ID_BELOW_TOP: Error =
        Error::fixed("ERR The ID specified in XSETID is smaller than the target stream top item");
    pub const STREAM_LAST_ID_BELOW_GIVEN_DELETED: Error =
        Error::fixed("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
    pub const STREAM_LAST_ID_BELOW_DELETED: Error =
        Error::fixed("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
    pub const STREAM_COUNT: Error = Error::fixed("ERR COUNT must be > 0");
    pub const STREAM_NUMIDS: Error = Error::fixed("ERR Number of IDs must be a positive integer");
    pub const STREAM_NUMIDS_MATCH: Error =
        Error::fixed("ERR The `numids` parameter must match the number of arguments");
    pub const STREAM_TWO_PRODUCERS: Error =
        Error::fixed("ERR syntax error, IDMP and IDMPAUTO can be given once, and not both");
    pub const STREAM_PRODUCER_WITH_ID: Error =
        Error::fixed("ERR IDMP and IDMPAUTO can be used only with auto-generated IDs");
    pub const STREAM_EMPTY_PRODUCER: Error = Error::fixed("ERR producer and idempotent IDs can't be empty");
    pub const STREAM_IDMP_DURATION: Error = Error::fixed("ERR IDMP-DURATION must be between 1 and 86400 seconds");
    pub const STREAM_IDMP_MAXSIZE: Error = Error::fixed("ERR IDMP-MAXSIZE must be between 1 and 10000 entries");
    pub const STREAM_NO_SUCH_ENTRY: Error = Error::fixed("ERR no such entry in the stream");
    pub const STREAM_OTHER_ENTRY: Error = Error::fixed("ERR the idempotent ID belongs to another entry");
    pub const STREAM_NACK_MODE: Error = Error::fixed("ERR mode must be SILENT, FAIL, or FATAL");
    pub const STREAM_NACK_RETRYCOUNT: Error = Error::fixed("ERR Invalid RETRYCOUNT option argument for XNACK");
    pub const OUT_OF_MEMORY: Error = Error::fixed("OOM command not allowed when used memory > 'maxmemory'.");
    pub const NOT_AUTHENTICATED: Error = Error::fixed("NOAUTH Authentication required.");
    pub const INTERNAL: Error = Error::fixed("ERR internal error");

    /// An error with a constant text.
    pub const fn fixed(text: &'static str) -> Error {
        Error(Cow::Borrowed(text))
    }

    /// An error whose text is made up for the occasion.
    pub fn text(text: impl Into<String>) -> Error {
        Error(Cow::Owned(text.into()))
    }

    /// Too few or too many words for `name`, in lower case (`client|kill` for a subcommand).
    pub fn wrong_arity(name: &str) -> Error {
        Error::text(format!("ERR wrong number of arguments for '{name}' command"))
    }

    /// A deadline that is zero, negative or past the end of time, given to `name`.
    pub fn invalid_expire(name: &str) -> Error {
        Error::text(format!("ERR invalid expire time in '{name}' command"))
    }

    /// `name`, in lower case, was given no key to read.
    pub fn no_input_keys(name: &str) -> Error {
        Error::text(format!("ERR at least 1 input key is needed for '{name}' command"))
    }

    /// Degrees that lie beyond those of the earth, or of its maps.
    pub fn invalid_place(longitude: f64, latitude: f64) -> Error {
        Error::text(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"))
    }

    /// A search is to begin at a member that does not exist.
    pub fn no_such_place(member: &[u8]) -> Error {
        Error::text(format!("ERR member {} does not exist", String::from_utf8_lossy(member)))
    }

    /// A search, whose name the client has typed so, has no point to begin at.
    pub fn geo_without_point(typed_name: &[u8]) -> Error {
        let name = String::from_utf8_lossy(typed_name);
        Error::text(format!("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"))
    }

    /// A search, whose name the client has typed so, has no shape.
    pub fn geo_without_shape(typed_name: &[u8]) -> Error {
        let name = String::from_utf8_lossy(typed_name);
        Error::text(format!("ERR exactly one of BYRADIUS, BYBOX and BYPOLYGON can be specified for {name}"))
    }

    /// A subcommand of `container` (upper case) that takes other words.
    pub fn subcommand_syntax(subcommand: &[u8], container: &str) -> Error {
        let subcommand = String::from_utf8_lossy(subcommand);
        Error::text(format!(
            "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try {container} HELP."
        ))
    }

    /// The stream at `key` has no consumer group `group`; `place` is how the sentence ends.
    pub fn no_group(key: &[u8], group: &[u8], place: &str) -> Error {
        let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
        Error::text(format!("NOGROUP No such key '{key}' or consumer group '{group}'{place}"))
    }

    /// The stream at `key`, which exists, has no consumer group `group`.
    pub fn no_group_of_key(key: &[u8], group: &[u8]) -> Error {
        let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
        Error::text(format!("NOGROUP No such consumer group '{group}' for key name '{key}'"))
    }

    /// No type of value is called `name`.
    pub fn unknown_type(name: &[u8]) -> Error {
        Error::text(format!("ERR unknown type name '{}'", String::from_utf8_lossy(name)))
    }

    /// The text on the wire, without the leading `-`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first word: what INFO errorstats counts by.
    pub fn code(&self) -> &str {
        self.0.split(' ').next().unwrap_or("ERR")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
