//! Lists: texts one by one, or packed nodes.

use super::{count, listpack};
use crate::error::Fault;
use crate::input::Input;
use crate::old::ziplist;
use ochre_collections::chunked::Node;
use ochre_values::list::End;
use ochre_values::{Collection, Limits, List};

/// The two kinds of nodes in a list of nodes.
pub(crate) const PLAIN: u64 = 1;
pub(crate) const PACKED: u64 = 2;

pub(super) fn of_texts(input: &mut Input<'_>, limits: &Limits) -> Result<List, Fault> {
    let (mut list, mut space) = (List::new(), Vec::new());
    for _ in 0..count(input)? {
        let text = input.text()?.read_into(&mut space)?;
        list.prepare(1, text.len(), limits);
        list.push(End::Right, text);
    }
    Ok(list)
}

pub(super) fn of_ziplist(input: &mut Input<'_>, limits: &Limits) -> Result<List, Fault> {
    finish(vec![old_node(input)?], limits)
}

pub(super) fn of_ziplists(input: &mut Input<'_>, limits: &Limits) -> Result<List, Fault> {
    let nodes: Result<Vec<Node>, Fault> = (0..count(input)?).map(|_| old_node(input)).collect();
    finish(nodes?, limits)
}

fn old_node(input: &mut Input<'_>) -> Result<Node, Fault> {
    let text = input.text()?;
    ziplist::to_listpack(text.read_into(&mut Vec::new())?).map(Node::Packed)
}

pub(super) fn of_nodes(input: &mut Input<'_>, limits: &Limits) -> Result<List, Fault> {
    let count = count(input)?;
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(match input.length()? {
            PLAIN => match input.text()?.to_bytes()? {
                // An empty element is packed like every short one.
                text if text.is_empty() => return Err(Fault::Malformed("A list has an empty node")),
                text => Node::Plain(text.into_owned().into_boxed_slice()),
            },
            PACKED => match listpack(input)? {
                list if list.is_empty() => return Err(Fault::Malformed("A list has an empty node")),
                list => Node::Packed(list),
            },
            _ => return Err(Fault::Malformed("Quicklist integrity check failed.")),
        });
    }
    finish(nodes, limits)
}

fn finish(nodes: Vec<Node>, limits: &Limits) -> Result<List, Fault> {
    let list = List::from_nodes(nodes, limits);
    if list.is_empty() { Err(Fault::Empty) } else { Ok(list) }
}
