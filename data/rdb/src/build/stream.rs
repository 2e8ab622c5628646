//! Streams: their nodes, their counters, and groups of consumers with what is pending.

use crate::error::Fault;
use crate::format::kind;
use crate::input::Input;
use crate::skip::skip_producers;
use crate::writer::RELEASED;
use ochre_values::stream::{Group, Totals};
use ochre_values::{Collection, Object, Stream, StreamId};
use std::collections::BTreeMap;

const WRONG_NODE: Fault = Fault::Malformed("Stream listpack integrity check failed.");
const WRONG_TOTALS: Fault = Fault::Malformed("The counters of a stream do not fit its entries");

pub(super) fn build(kind: u8, input: &mut Input<'_>) -> Result<Object, Fault> {
    let mut stream = Stream::new();
    let mut space = Vec::new();
    for _ in 0..input.length()? {
        let id = input.text()?.read_into(&mut space)?;
        let id = id.try_into().map_err(|_| Fault::Malformed("Stream node key entry is not the size of a stream ID"))?;
        let id = StreamId::from_be_bytes(id);
        stream.push_node(id, input.text()?.read_into(&mut space)?).map_err(|_| WRONG_NODE)?;
    }
    let len = input.length()?;
    let last_id = id(input)?;
    let mut totals =
        Totals { len, last_id, first_id: stream.first_id(), max_deleted_id: StreamId::MIN, entries_added: len };
    if kind != kind::STREAM {
        totals.first_id = id(input)?;
        totals.max_deleted_id = id(input)?;
        totals.entries_added = input.length()?;
    }
    stream.set_totals(&totals).map_err(|_| WRONG_TOTALS)?;
    for _ in 0..input.length()? {
        read_group(kind, input, &mut stream)?;
    }
    if kind >= kind::STREAM_4 {
        skip_producers(input)?;
    }
    Ok(stream.into_object())
}

fn id(input: &mut Input<'_>) -> Result<StreamId, Fault> {
    Ok(StreamId::new(input.length()?, input.length()?))
}

fn raw_id(input: &mut Input<'_>) -> Result<StreamId, Fault> {
    Ok(StreamId::from_be_bytes(input.array()?))
}

fn time_ms(input: &mut Input<'_>) -> Result<u64, Fault> {
    Ok(u64::try_from(input.time_ms()?).unwrap_or(0))
}

fn read_group(kind: u8, input: &mut Input<'_>, stream: &mut Stream) -> Result<(), Fault> {
    let name = input.text()?.to_bytes()?;
    let last_id = id(input)?;
    let entries_read = match kind {
        kind::STREAM => stream.entries_up_to(last_id),
        _ => Some(input.length()?).filter(|read| i64::try_from(*read).is_ok()),
    };
    if !stream.create_group(&name, last_id, entries_read) {
        return Err(Fault::Malformed("Duplicated consumer group name"));
    }
    let group = stream.group_mut(&name).expect("it was just made");
    let mut pending = BTreeMap::new();
    for _ in 0..input.length()? {
        let id = raw_id(input)?;
        let delivery = (time_ms(input)?, input.length()?);
        if pending.insert(id, delivery).is_some() {
            return Err(Fault::Malformed("Duplicated global PEL entry"));
        }
    }
    for _ in 0..input.length()? {
        read_consumer(kind, input, group, &mut pending)?;
    }
    if kind >= kind::STREAM_5 {
        for _ in 0..input.length()? {
            let (id, (_, deliveries)) = pending.remove_entry(&raw_id(input)?).ok_or(NOT_PENDING)?;
            group.release(id, deliveries);
        }
    }
    if pending.is_empty() { Ok(()) } else { Err(Fault::Malformed("NACK not assigned to any consumer")) }
}

const NOT_PENDING: Fault = Fault::Malformed("Consumer entry not found in group global PEL");

fn read_consumer(
    kind: u8,
    input: &mut Input<'_>,
    group: &mut Group,
    pending: &mut BTreeMap<StreamId, (u64, u64)>,
) -> Result<(), Fault> {
    let name = input.text()?.to_bytes()?;
    let seen_ms = time_ms(input)?;
    let active_ms = match kind {
        kind::STREAM | kind::STREAM_2 => Some(seen_ms),
        _ => u64::try_from(input.time_ms()?).ok(),
    };
    // What belonged to nobody is written as the portable types can say it.
    let consumer = if *name == *RELEASED {
        None
    } else {
        let number = group.create_consumer(&name, seen_ms);
        let number = number.ok_or(Fault::Malformed("Duplicate stream consumer detected"))?;
        group.consumer_mut(number).active_ms = active_ms;
        Some(number)
    };
    for _ in 0..input.length()? {
        // Each is taken out of the group's, so that none can belong to two consumers.
        let (id, (delivered_ms, deliveries)) = pending.remove_entry(&raw_id(input)?).ok_or(NOT_PENDING)?;
        match consumer {
            Some(number) => group.assign(id, number, delivered_ms, deliveries),
            None => group.release(id, deliveries),
        }
    }
    Ok(())
}
