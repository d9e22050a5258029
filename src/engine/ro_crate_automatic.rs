//! The RO-Crate entities that an initialisation writes by itself: the server that ran the
//! workflow, once for each run, and the files that exist, where the workflow asks for them
//! (contract, behaviour 14).

use serde_json::{Map, Value, json};

use super::EngineError;
use crate::clock;
use crate::store::workflows::get as workflow;
use crate::store::{WriteTx, ro_crate_files as rows};

/// Writes them for the current run of a workflow.
///
/// # Errors
///
/// What the database says.
pub(super) fn write(tx: &WriteTx<'_>, workflow_id: i64) -> Result<(), EngineError> {
    let Some(model) = workflow(tx, workflow_id)? else {
        return Ok(());
    };
    if model.enable_ro_crate == Some(true) {
        for file in rows::files(tx, workflow_id)? {
            let own = of_file(&file.path, file.st_mtime);
            match file.entity {
                None => {
                    let text = Value::Object(own).to_string();
                    rows::add(tx, workflow_id, Some(file.id), &file.path, "File", &text)?;
                }
                Some((id, theirs)) => rows::set_metadata(tx, id, &refreshed(&theirs, own))?,
            }
        }
    }
    let id = format!(
        "#software-torc-server-run-id-{}",
        model.run_id.unwrap_or_default()
    );
    let text = of_server(&id).to_string();
    rows::add(tx, workflow_id, None, &id, "SoftwareApplication", &text)?;
    Ok(())
}

/// What is said of a file: where it is, of which kind, and from when.
fn of_file(path: &str, st_mtime: f64) -> Map<String, Value> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let fields = [
        ("@id", json!(path)),
        ("@type", json!(["File", "prov:Entity"])),
        ("name", json!(name)),
        ("encodingFormat", json!(kind.essence_str())),
    ];
    let mut fields: Map<String, Value> = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let time = st_mtime
        .is_finite()
        .then(|| clock::text_of_ms((st_mtime * 1000.0) as i64));
    if let Some(time) = time.flatten() {
        fields.insert("dateModified".to_owned(), json!(time));
    }
    fields
}

/// What somebody else said, with what is said of every file on top. Nonsense is replaced.
fn refreshed(theirs: &str, own: Map<String, Value>) -> String {
    let mut all: Map<String, Value> = serde_json::from_str(theirs).unwrap_or_default();
    all.extend(own);
    Value::Object(all).to_string()
}

fn of_server(id: &str) -> Value {
    let git_hash = option_env!("TORC_GIT_HASH").unwrap_or("unknown");
    let program = std::env::current_exe().ok();
    json!({
        "@id": id,
        "@type": ["SoftwareApplication", "prov:SoftwareAgent"],
        "name": "torc-server",
        "version": format!("{} ({git_hash})", env!("CARGO_PKG_VERSION")),
        "url": program.map(|path| path.display().to_string()),
        "torc:git_hash": git_hash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_described_by_its_path() {
        let fields = of_file("out/a.csv", 1_700_000_000.0);
        assert_eq!(fields["@id"], "out/a.csv");
        assert_eq!(fields["name"], "a.csv");
        assert_eq!(fields["encodingFormat"], "text/csv");
        assert_eq!(fields["dateModified"], "2023-11-14T22:13:20.000Z");
        let unknown = of_file("no-extension", f64::NAN);
        assert_eq!(unknown["encodingFormat"], "application/octet-stream");
        assert_eq!(unknown.get("dateModified"), None);
    }

    #[test]
    fn what_somebody_said_of_a_file_stays() {
        let theirs = r#"{"author": "ada", "name": "mine"}"#;
        let all: Value = serde_json::from_str(&refreshed(theirs, of_file("a.txt", 0.0))).unwrap();
        assert_eq!(
            (&all["author"], &all["name"]),
            (&json!("ada"), &json!("a.txt"))
        );
    }
}
