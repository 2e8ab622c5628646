//! For tests here and elsewhere: values as a line of text, the same for every encoding.

use crate::Built;
use ochre_collections::Item;
use ochre_collections::View;
use ochre_values::{Collection, Object};

fn text(item: Item<'_>) -> String {
    String::from_utf8_lossy(&item.to_vec()).into_owned()
}

/// A built value as a line.
pub fn show(built: &Built<'_>) -> String {
    match built {
        Built::Int(value) => value.to_string(),
        Built::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Built::Object(object) => show_object(object),
    }
}

/// The value as the keyspace would show it.
pub fn view<'a>(built: &'a Built<'a>) -> View<'a, Object> {
    match built {
        Built::Int(value) => View::Int(*value),
        Built::Text(text) => View::Str { bytes: text, raw: false },
        Built::Object(object) => View::Object(object),
    }
}

fn show_object(object: &Object) -> String {
    match object {
        Object::String(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Object::WalkedString(_) => unreachable!("no snapshot is taken here"),
        Object::List(list) => format!("[{}]", list.view().iter().map(text).collect::<Vec<_>>().join(" ")),
        Object::Set(set) => {
            let mut members: Vec<_> = set.iter().map(text).collect();
            members.sort();
            format!("{{{}}}", members.join(" "))
        }
        Object::Hash(hash) => {
            let mut fields: Vec<_> = hash
                .view()
                .iter()
                .map(|pair| {
                    let deadline = pair.deadline_ms.map(|at| format!("@{at}")).unwrap_or_default();
                    format!("{}={}{deadline}", text(pair.name), text(pair.value))
                })
                .collect();
            fields.sort();
            format!("{{{}}}", fields.join(" "))
        }
        Object::SortedSet(set) => {
            let members: Vec<_> =
                set.as_ref().iter().map(|scored| format!("{}:{}", text(scored.member), scored.score())).collect();
            format!("({})", members.join(" "))
        }
        Object::Stream(stream) => show_stream(stream),
        Object::Structured(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn show_stream(stream: &ochre_values::Stream) -> String {
    let id = |id: ochre_values::StreamId| String::from_utf8_lossy(&id.to_vec()).into_owned();
    let totals = stream.totals();
    let mut parts = vec![format!(
        "len {} last {} first {} deleted {} added {}",
        totals.len,
        id(totals.last_id),
        id(totals.first_id),
        id(totals.max_deleted_id),
        totals.entries_added
    )];
    for entry in stream.range(ochre_values::StreamId::MIN, ochre_values::StreamId::MAX) {
        let pairs: Vec<_> = entry.pairs().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
        parts.push(format!("{} {}", id(entry.id), pairs.join(" ")));
    }
    for (name, group) in stream.groups() {
        let name = String::from_utf8_lossy(name);
        parts.push(format!("group {name} {} read {:?}", id(group.last_id), group.entries_read));
        for consumer in group.consumers() {
            let ids: Vec<_> = consumer.pending(..).map(id).collect();
            parts.push(format!("{}: {}", String::from_utf8_lossy(consumer.name()), ids.join(" ")));
        }
        let released = group.pending(..).filter(|(_, pending)| pending.consumer().is_none());
        let released: Vec<_> = released.map(|(released, _)| id(released)).collect();
        if !released.is_empty() {
            parts.push(format!("released {}", released.join(" ")));
        }
        let deliveries: Vec<_> = group.pending(..).map(|(_, pending)| pending.deliveries.to_string()).collect();
        parts.push(format!("deliveries {}", deliveries.join(" ")));
    }
    parts.join("; ")
}
