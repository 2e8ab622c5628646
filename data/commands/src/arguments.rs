//! The arguments of a command as COMMAND DOCS shows them, read from the synopsis.

use crate::synopsis::tokens;

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgumentKind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    /// A word that stands for itself.
    PureToken,
    /// One of its arguments.
    OneOf,
    /// All of its arguments.
    Block,
}

impl ArgumentKind {
    /// The word in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            ArgumentKind::String => "string",
            ArgumentKind::Integer => "integer",
            ArgumentKind::Double => "double",
            ArgumentKind::Key => "key",
            ArgumentKind::Pattern => "pattern",
            ArgumentKind::UnixTime => "unix-time",
            ArgumentKind::PureToken => "pure-token",
            ArgumentKind::OneOf => "oneof",
            ArgumentKind::Block => "block",
        }
    }
}

/// An argument, perhaps made of others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Argument {
    pub name: String,
    pub kind: ArgumentKind,
    /// The word that comes before it, or that it is.
    pub token: Option<String>,
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// The token is repeated too.
    pub multiple_token: bool,
    pub arguments: Vec<Argument>,
}

/// The arguments that `synopsis` spells.
pub fn arguments(synopsis: &str) -> Vec<Argument> {
    let tokens = tokens(synopsis);
    let (mut alternatives, _) = parse_alternatives(&tokens, &mut 0);
    match alternatives.len() {
        1 => arguments_of(&alternatives.remove(0)),
        _ => vec![one_of(&alternatives)],
    }
}

/// A piece of a synopsis.
#[derive(Clone, PartialEq, Debug)]
enum Node<'s> {
    Word(&'s str),
    /// `[…]`, or `<…>` when it is not optional.
    Group {
        optional: bool,
        multiple: bool,
        alternatives: Vec<Vec<Node<'s>>>,
    },
    /// What stands before a `[… ...]` of the same.
    Repeat(Vec<Node<'s>>),
}

/// Alternatives up to a closing bracket, and whether the last of them ends in an ellipsis.
fn parse_alternatives<'s>(tokens: &[&'s str], at: &mut usize) -> (Vec<Vec<Node<'s>>>, bool) {
    let mut alternatives = Vec::new();
    loop {
        let (sequence, repeats) = parse_sequence(tokens, at);
        alternatives.push(sequence);
        if tokens.get(*at) != Some(&"|") {
            return (alternatives, repeats);
        }
        *at += 1;
    }
}

fn parse_sequence<'s>(tokens: &[&'s str], at: &mut usize) -> (Vec<Node<'s>>, bool) {
    let (mut sequence, mut repeats) = (Vec::new(), false);
    while let Some(&token) = tokens.get(*at) {
        match token {
            "]" | ">" | "|" => break,
            "[" | "<" => {
                *at += 1;
                let (alternatives, is_repeat) = parse_alternatives(tokens, at);
                *at += 1;
                push_group(&mut sequence, token == "[", alternatives, is_repeat);
                repeats = false;
            }
            "..." => {
                *at += 1;
                repeats = true;
            }
            word => {
                *at += 1;
                repeats = false;
                sequence.push(Node::Word(word));
            }
        }
    }
    (sequence, repeats)
}

fn push_group<'s>(sequence: &mut Vec<Node<'s>>, optional: bool, mut alternatives: Vec<Vec<Node<'s>>>, is_repeat: bool) {
    if is_repeat && alternatives.len() == 1 && sequence.ends_with(&alternatives[0]) {
        let repeated = sequence.split_off(sequence.len() - alternatives[0].len());
        sequence.push(Node::Repeat(repeated));
        return;
    }
    // A choice that may be made again repeats itself at the end of its last alternative, once more in brackets.
    let mut multiple = is_repeat;
    if let Some(Node::Group { multiple: true, alternatives: inner, .. }) =
        alternatives.last().and_then(|last| last.last())
    {
        let mut without = alternatives.clone();
        without.last_mut().expect("there is a last alternative").pop();
        if *inner == without {
            alternatives = without;
            multiple = true;
        }
    }
    // A group that holds nothing but one repetition is itself what is repeated: `[key [key ...]]`.
    if let [sequence] = alternatives.as_mut_slice()
        && let [Node::Repeat(repeated)] = sequence.as_mut_slice()
    {
        *sequence = std::mem::take(repeated);
        multiple = true;
    }
    sequence.push(Node::Group { optional, multiple, alternatives });
}

fn arguments_of(sequence: &[Node<'_>]) -> Vec<Argument> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(node) = sequence.get(at) {
        at += 1;
        match node {
            Node::Word(word) if is_token(word) => {
                // The token belongs to all values that follow, up to the next token or option.
                let end =
                    sequence[at..].iter().position(|node| !is_value(node)).map_or(sequence.len(), |more| at + more);
                found.push(with_token(word, arguments_of(&sequence[at..end])));
                at = end;
            }
            Node::Word(word) => found.push(value(word)),
            Node::Repeat(repeated) => {
                let starts_with_token = matches!(repeated.first(), Some(Node::Word(word)) if is_token(word));
                let mut argument = merged(arguments_of(repeated));
                argument.multiple = true;
                argument.multiple_token = starts_with_token && argument.token.is_some();
                found.push(argument);
            }
            Node::Group { optional, multiple, alternatives } => {
                let mut argument = match alternatives.as_slice() {
                    [sequence] => merged(arguments_of(sequence)),
                    _ => one_of(alternatives),
                };
                argument.optional = *optional;
                argument.multiple |= *multiple;
                argument.multiple_token |= *multiple && argument.token.is_some();
                found.push(argument);
            }
        }
    }
    found
}

/// Whether a token before this node belongs to it.
fn is_value(node: &Node<'_>) -> bool {
    match node {
        Node::Word(word) => !is_token(word),
        Node::Repeat(nodes) => nodes.iter().all(is_value),
        Node::Group { optional, .. } => !optional,
    }
}

fn one_of(alternatives: &[Vec<Node<'_>>]) -> Argument {
    let arguments: Vec<Argument> = alternatives.iter().map(|sequence| merged(arguments_of(sequence))).collect();
    let names: Vec<&str> = arguments.iter().map(|argument| argument.name.as_str()).collect();
    let name = names.join("-or-");
    Argument { arguments, ..plain(name, ArgumentKind::OneOf) }
}

/// One argument in place of several.
fn merged(mut arguments: Vec<Argument>) -> Argument {
    match arguments.len() {
        1 => arguments.remove(0),
        _ => {
            let names: Vec<&str> = arguments.iter().map(|argument| argument.name.as_str()).collect();
            let name = names.join("-");
            Argument { arguments, ..plain(name, ArgumentKind::Block) }
        }
    }
}

fn with_token(token: &str, values: Vec<Argument>) -> Argument {
    let name = token.to_ascii_lowercase();
    let mut argument = match values.len() {
        0 => plain(name, ArgumentKind::PureToken),
        1 => merged(values),
        _ => Argument { name, ..merged(values) },
    };
    argument.token = Some(token.to_owned());
    argument
}

fn value(word: &str) -> Argument {
    plain(word.to_owned(), kind_of(word))
}

fn plain(name: String, kind: ArgumentKind) -> Argument {
    Argument { name, kind, token: None, optional: false, multiple: false, multiple_token: false, arguments: Vec::new() }
}

/// Tokens have no small letters, but for these.
fn is_token(word: &str) -> bool {
    const SMALL: [&str; 7] = ["m", "km", "ft", "mi", "slow", "large-request", "large-reply"];
    SMALL.contains(&word) || !word.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Nearly every name of an argument stands for one type in all commands.
fn kind_of(name: &str) -> ArgumentKind {
    match name {
        "key" | "newkey" | "source" | "destination" | "destkey" | "sourcekey" | "numkeyskey" => ArgumentKind::Key,
        "pattern" => ArgumentKind::Pattern,
        "bits" | "bit" | "count" | "cursor" | "db" | "destination-db" | "end" | "increment" | "decrement" | "index"
        | "index1" | "index2" | "len" | "length" | "limit" | "maxlen" | "milliseconds" | "min-idle-time" | "ms"
        | "num" | "numfields" | "numkeys" | "numlocal" | "numreplicas" | "numslots" | "offset" | "port"
        | "position" | "protover" | "rank" | "retrycount" | "seconds" | "seed" | "slot" | "start" | "start-slot"
        | "end-slot" | "stop" | "timeout" | "ttl" | "value-ms" | "version" | "client-id" | "config-epoch"
        | "frequency" | "idle" | "num-matches" => ArgumentKind::Integer,
        "score" | "longitude" | "latitude" | "radius" | "width" | "height" => ArgumentKind::Double,
        _ if name.starts_with("unix-time") => ArgumentKind::UnixTime,
        _ => ArgumentKind::String,
    }
}

#[cfg(test)]
mod tests {
    use super::{Argument, arguments};

    /// `name:type` with `?` for optional, `+` for multiple, `*` for a repeated token, `TOKEN=` before, parts in brackets.
    fn shown(arguments: &[Argument]) -> String {
        let one = |argument: &Argument| {
            let mut text = argument.token.as_ref().map(|token| format!("{token}=")).unwrap_or_default();
            text += &format!("{}:{}", argument.name, argument.kind.name());
            for (is_so, mark) in [(argument.optional, '?'), (argument.multiple, '+'), (argument.multiple_token, '*')] {
                text.extend(is_so.then_some(mark));
            }
            if !argument.arguments.is_empty() {
                text += &format!("({})", shown(&argument.arguments));
            }
            text
        };
        arguments.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(synopsis: &str, expected: &str) {
        assert_eq!(shown(&arguments(synopsis)), expected, "{synopsis}");
    }

    #[test]
    fn values_options_and_choices() {
        check("", "");
        check("key value", "key:key value:string");
        check("key [count]", "key:key count:integer?");
        check("[ASYNC | SYNC]", "async-or-sync:oneof?(ASYNC=async:pure-token SYNC=sync:pure-token)");
        check("key <m | km>", "key:key m-or-km:oneof(m=m:pure-token km=km:pure-token)");
        check(
            "[EX seconds | PXAT unix-time-milliseconds | KEEPTTL]",
            "seconds-or-unix-time-milliseconds-or-keepttl:oneof?\
             (EX=seconds:integer PXAT=unix-time-milliseconds:unix-time KEEPTTL=keepttl:pure-token)",
        );
    }

    #[test]
    fn repetitions_are_recognised() {
        check("key [key ...]", "key:key+");
        check("score member [score member ...]", "score-member:block+(score:double member:string)");
        check("script numkeys [key [key ...]]", "script:string numkeys:integer key:key?+");
        check("subcommand [arg ...]", "subcommand:string arg:string?+");
        check("[WEIGHTS weight [weight ...]]", "WEIGHTS=weight:string?+");
        check("[GET pattern [GET pattern ...]]", "GET=pattern:pattern?+*");
        check("[CONFIG name value [CONFIG name value ...]]", "CONFIG=config:block?+*(name:string value:string)");
        check(
            "[GET a | [B] <SET c> [GET a | [B] <SET c> ...]]",
            "a-or-b-c:oneof?+(GET=a:string b-c:block(B=b:pure-token? SET=c:string))",
        );
    }

    #[test]
    fn tokens_take_the_values_that_follow() {
        check("[LIMIT offset count]", "LIMIT=limit:block?(offset:integer count:integer)");
        check("[COUNT count [ANY]]", "count-any:block?(COUNT=count:integer ANY=any:pure-token?)");
        check("STREAMS key [key ...] id [id ...]", "STREAMS=streams:block(key:key+ id:string+)");
        check(
            "[FILTERBY <MODULE name | PATTERN pattern>]",
            "FILTERBY=name-or-pattern:oneof?(MODULE=name:string PATTERN=pattern:pattern)",
        );
        check(
            "<host port | NO ONE>",
            "host-port-or-no-one:oneof(host-port:block(host:string port:integer) \
             no-one:block(NO=no:pure-token ONE=one:pure-token))",
        );
    }
}
