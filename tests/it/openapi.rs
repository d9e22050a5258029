//! The document that is served, against the contract that Torc publishes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::server::TestServer;

/// Differences of two values, each as the path to it.
fn differences(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<(String, Value)>) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
            for name in names {
                let path = format!("{path}/{name}");
                match (theirs.get(name), ours.get(name)) {
                    (Some(theirs), Some(ours)) => differences(&path, theirs, ours, found),
                    (_, ours) => found.push((path, ours.cloned().unwrap_or_default())),
                }
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if ours.starts_with(theirs) => {
            for added in &ours[theirs.len()..] {
                let name = added["name"].as_str().unwrap_or("?");
                found.push((format!("{path}/+{name}"), added.clone()));
            }
        }
        _ if theirs == ours => {}
        _ => found.push((path.to_owned(), ours.clone())),
    }
}

/// What kind of difference it is, as the documentation lists it.
fn kind(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let after = |name: &str| {
        let at = parts.iter().position(|part| *part == name)?;
        parts.get(at + 1).copied()
    };
    if let Some(schema) = after("schemas") {
        return format!("{schema}.{}", after("properties").unwrap());
    }
    if path.ends_with("/links") {
        return "links".to_owned();
    }
    if let Some(added) = parts.last().and_then(|part| part.strip_prefix('+')) {
        return format!("parameter {added}");
    }
    match after("responses") {
        Some(status) => format!("response {status}"),
        None => path.to_owned(),
    }
}

#[tokio::test]
async fn the_document_is_the_contract_and_what_is_listed() {
    let contract: Value = serde_json::from_str(include_str!("../../docs/contract.json")).unwrap();
    let server = TestServer::start().await;
    let served = server.api.get("/openapi.json").await;
    server.stop().await;

    only_adds_responses(&contract, &served);
    let mut found = Vec::new();
    differences("", &contract, &served, &mut found);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (path, _) in &found {
        *kinds.entry(kind(path)).or_default() += 1;
    }
    let listed = listed();
    let kinds: BTreeSet<String> = kinds.into_keys().collect();
    let unlisted: Vec<&String> = kinds.difference(&listed).collect();
    let gone: Vec<&String> = listed.difference(&kinds).collect();
    assert!(
        unlisted.is_empty() && gone.is_empty(),
        "docs/compatibility.md does not list {unlisted:?}, and lists {gone:?} in vain"
    );
}

/// Of the contract's own responses none is changed, but that a refusal may be text besides.
fn only_adds_responses(contract: &Value, served: &Value) {
    for (path, methods) in contract["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for (status, theirs) in operation["responses"].as_object().unwrap() {
                let ours = &served["paths"][path][method]["responses"][status];
                let of = format!("{method} {path} {status}");
                let kind = "application/json";
                assert_eq!(ours["content"][kind], theirs["content"][kind], "{of}");
                let kinds = ours["content"].as_object().unwrap().len();
                assert_eq!(kinds, if status == "422" { 2 } else { 1 }, "{of}");
            }
        }
    }
}

/// The first column of the table in the documentation.
fn listed() -> BTreeSet<String> {
    let text = include_str!("../../docs/compatibility.md");
    let (_, section) = text.split_once("## The document").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_reference_and_link_leads_somewhere() {
    let server = TestServer::start().await;
    let served = server.api.get("/openapi.json").await;
    server.stop().await;
    let operations: BTreeSet<String> = served["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(operations.len(), 134);
    let mut wrong = Vec::new();
    walk(&served, &mut |value| {
        if let Some(target) = value["$ref"].as_str() {
            let path = target.strip_prefix('#').unwrap();
            if served.pointer(path).is_none() {
                wrong.push(target.to_owned());
            }
        }
        for (_, link) in value["links"].as_object().into_iter().flatten() {
            let target = link["operationId"].as_str().unwrap();
            if !operations.contains(target) {
                wrong.push(target.to_owned());
            }
        }
    });
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn walk(value: &Value, look: &mut impl FnMut(&Value)) {
    look(value);
    match value {
        Value::Object(fields) => fields.values().for_each(|value| walk(value, look)),
        Value::Array(items) => items.iter().for_each(|value| walk(value, look)),
        _ => {}
    }
}
