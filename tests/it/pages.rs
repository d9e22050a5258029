//! The debug pages in a real browser, under load: what one clicks, types and sees.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::loaded::Loaded;
use crate::support::process::HANG;

/// No script complained, and nobody but the server was asked.
async fn assert_clean(browser: &Browser, loaded: &Loaded) {
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
    let asked = browser.asked().await;
    assert!(asked.len() > 3, "the log of requests is on");
    for url in asked {
        let ours = url.starts_with(&loaded.url("/debug"))
            || url == loaded.url("/")
            || url.starts_with("data:")
            || url.starts_with("about:");
        assert!(ours, "asked for {url}");
    }
}

/// The values of a column of a table, as numbers.
fn column(table: &str, title: &str) -> String {
    format!(
        "const table = document.querySelector('#{table} table');
         const at = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === '{title}');
         return [...table.tBodies[0].querySelectorAll('tr:not(.detail)')]
           .map((row) => Number(row.cells[at].dataset.value));"
    )
}

#[tokio::test]
async fn timings_are_sorted_filtered_and_counted_from_a_mark() {
    let loaded = Loaded::start().await;
    let browser = Browser::start(1200, 900).await;
    browser
        .open(&loaded.url("/debug/timings?window=start"))
        .await;
    browser
        .wait("return document.querySelector(\"#routes tr[data-name='POST /jobs']\") !== null")
        .await;
    browser.click("#pause").await;

    // By the mouse, then by the keyboard.
    let sorted = |values: Value, down: bool| {
        let values: Vec<f64> = serde_json::from_value(values).unwrap();
        assert!(values.len() > 1, "{values:?}");
        let pairs = values.windows(2);
        pairs.clone().all(|two| {
            if down {
                two[0] >= two[1]
            } else {
                two[0] <= two[1]
            }
        })
    };
    let calls = "#operations thead th:nth-child(6)";
    browser.click(&format!("{calls} button")).await;
    let state = format!("return document.querySelector('{calls}').ariaSort");
    assert_eq!(browser.run(&state).await, "descending");
    assert!(sorted(
        browser.run(&column("operations", "calls")).await,
        true
    ));
    browser.keys(&format!("{calls} button"), "\u{E007}").await;
    assert_eq!(browser.run(&state).await, "ascending");
    assert!(sorted(
        browser.run(&column("operations", "calls")).await,
        false
    ));

    browser.keys("#filter", "BULK").await;
    let names =
        "return [...document.querySelectorAll('#routes tbody tr')].map((row) => row.dataset.name)";
    assert_eq!(browser.run(names).await, json!(["POST /bulk_jobs"]));
    browser.run("document.querySelector('#filter').value = ''; document.querySelector('#filter').dispatchEvent(new Event('input'))").await;
    // Each operation shows where its time went.
    let bars = "return [...document.querySelectorAll('#operations svg.stack')].every((bar) => bar.ariaLabel.includes('%'))";
    assert_eq!(browser.run(bars).await, true);

    let shown =
        |window: &str| format!("return document.documentElement.dataset.window === '{window}'");
    browser.click("#pause").await;
    browser.click("#window option[value='10s']").await;
    browser.wait(&shown("10s")).await;
    browser.click("#reset").await;
    browser.wait(&shown("reset")).await;
    let covers = browser
        .run("return document.querySelector('#cost').textContent")
        .await;
    assert!(
        covers.as_str().unwrap().contains("The window covers"),
        "{covers}"
    );

    browser.keys("#mark-name", "a b\u{E007}").await;
    let message = "return document.querySelector('#message').textContent";
    let said = browser.wait(message).await;
    assert!(
        said.as_str().unwrap().contains("a mark's name has"),
        "{said}"
    );
    browser
        .run("document.querySelector('#mark-name').value = ''")
        .await;
    browser.keys("#mark-name", "deploy\u{E007}").await;
    browser.wait(&shown("mark:deploy")).await;
    let marks = loaded.json("/debug/timings/marks").await;
    assert!(marks.to_string().contains("\"deploy\""), "{marks}");
    assert_eq!(browser.run(message).await, "");
    browser.click("[data-mark=deploy] button").await;
    browser.wait(&shown("start")).await;
    let marks = loaded.json("/debug/timings/marks").await;
    assert!(!marks.to_string().contains("\"deploy\""), "{marks}");
    // The bad name is an answer of 400, which the browser notes.
    let complaints = browser.complaints().await;
    let refused = |line: &&String| line.contains("marks/a%20b") && line.contains("400");
    assert_eq!(
        complaints.iter().filter(refused).count(),
        1,
        "{complaints:?}"
    );
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert_clean(&browser, &loaded).await;
}

/// Has the page find one request for every cell.
const EXEMPLARS: &str = r#"
    const real = window.fetch;
    const request = {
      id: 77, route: "POST /jobs", path: "<b>/jobs</b>", status: 200, wall_us: 1500000,
      commands: [{operation: "create_job", queue_wait_us: 250, commit_us: 750}],
    };
    const kept = {exemplars: [{lower_us: 0, upper_us: 4e9, request}]};
    window.fetch = async (path, options) => path.startsWith("/debug/exemplars?route=POST+%2Fjobs")
      ? new Response(JSON.stringify(kept), {headers: {"content-type": "application/json"}})
      : real(path, options);
"#;

#[tokio::test]
async fn a_row_opens_its_curve_and_heat_map_and_a_cell_its_requests() {
    let loaded = Loaded::start().await;
    let browser = Browser::start(1200, 900).await;
    browser.open(&loaded.url("/debug/timings?window=5m")).await;
    browser
        .click("#operations tr[data-name=create_job] button.open")
        .await;
    let panel = "#operations tr[data-detail=create_job]";
    let drawn = format!(
        "return document.querySelector('{panel} path.line')?.getAttribute('d').length > 20"
    );
    browser.wait(&drawn).await;
    let cells = |panel: &str| {
        format!(
            "return [...document.querySelectorAll(`{panel} rect.cell`)]
               .reduce((sum, cell) => sum + Number(cell.dataset.count), 0)"
        )
    };
    browser.wait(&cells(panel)).await;
    let title = format!("return document.querySelector('{panel} rect.cell title').textContent");
    let said = browser.run(&title).await;
    assert!(said.as_str().unwrap().ends_with("/s)"), "{said}");
    browser
        .click(&format!("{panel} option[value=queue_wait]"))
        .await;
    browser
        .wait(&format!(
            "return document.querySelector('{panel} svg.curve')?.ariaLabel.startsWith('percentiles of create_job')"
        ))
        .await;

    // By the keyboard: open, go to the map, pick a cell.
    let row = "#routes tr[data-name=\"POST /jobs\"]";
    browser
        .keys(&format!("{row} button.open"), "\u{E007}")
        .await;
    let panel = "#routes tr[data-detail=\"POST /jobs\"]";
    browser.wait(&cells(panel)).await;
    browser.click("#pause").await;
    browser
        .keys(&format!("{panel} svg.heat"), "\u{E012}\u{E013}\u{E007}")
        .await;
    browser
        .wait(&format!(
            "return document.querySelector('{panel} .picked-cell')"
        ))
        .await;
    // The server keeps a request of each power of two, so there is one for every cell.
    let link =
        format!("return document.querySelector('{panel} .exemplar a')?.getAttribute('href')");
    let request = browser.wait(&link).await;
    let (status, _, told) = loaded.ask(request.as_str().unwrap(), None).await;
    assert!(status == 200 && told.contains("POST /jobs"), "{told}");
    browser
        .run(&format!(
            "document.querySelector('{panel} .exemplars').replaceChildren()"
        ))
        .await;
    browser.click(&format!("{panel} rect.cell")).await;
    browser.wait(&link).await;

    // Of another part there are none: requests are kept by the whole.
    // A click in one step: the map is drawn anew when its figures come.
    let pick = format!(
        "document.querySelector('{panel} rect.cell').dispatchEvent(new MouseEvent('click'));"
    );
    browser.click(&format!("{panel} option[value=busy]")).await;
    browser.run(&pick).await;
    browser.wait(&link.replace("return ", "return !")).await;
    browser.click(&format!("{panel} option[value=whole]")).await;

    // Markup in what a client asked for stays text.
    browser.run(EXEMPLARS).await;
    browser.run(&pick).await;
    let invented = format!("{link} === '/debug/requests/77?format=text'");
    browser.wait(&invented).await;
    let shown = format!("return document.querySelector('{panel} .exemplar tbody').innerText");
    let shown = browser.run(&shown).await;
    let shown = shown.as_str().unwrap();
    assert!(
        shown.contains("<b>/jobs</b>") && shown.contains("1.50 s"),
        "{shown}"
    );
    let bar = format!("return document.querySelector('{panel} .exemplar svg').ariaLabel");
    assert_eq!(browser.run(&bar).await, "queue wait 25 %, commit 75 %");

    browser.click(&format!("{row} button.open")).await;
    let gone = format!("return document.querySelector('{panel}') === null");
    browser.wait(&gone).await;
    assert_clean(&browser, &loaded).await;
}

#[tokio::test]
async fn the_writer_is_seen_at_work_and_a_slow_server_is_asked_once() {
    let loaded = Loaded::start().await;
    let browser = Browser::start(1200, 900).await;
    browser.open(&loaded.url("/debug/writer")).await;
    let holder = "return [...document.querySelectorAll('#held tbody tr')]
        .some((row) => ['create_job', 'create_jobs', 'commit'].includes(row.dataset.name))";
    browser.wait(holder).await;
    let tile =
        |of: &str| format!("return document.querySelector('[data-of=\"{of}\"] dd').textContent");
    browser
        .wait(&format!("{} !== 'nobody'", tile("held by")))
        .await;
    let log = browser.run(&tile("log")).await;
    assert!(log.as_str().unwrap().contains("pages"), "{log}");
    browser
        .wait("return document.querySelector('#used tr[data-name=create_jobs]')")
        .await;
    browser
        .wait("return document.querySelector('#batches path.line')")
        .await;

    assert_clean(&browser, &loaded).await;

    // While it does not answer, nothing is asked again; then the page goes on by itself.
    let slow = "return document.querySelector('#status').textContent.includes('takes its time')";
    loaded.server.signal("STOP");
    browser.wait(slow).await;
    // An answer that was under way when it stopped may have brought one more question.
    tokio::time::sleep(Duration::from_secs(1)).await;
    browser.asked().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(browser.asked().await, Vec::<String>::new());
    loaded.server.signal("CONT");
    browser.wait(&slow.replace("return ", "return !")).await;
    while browser.asked().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_dropped_index_shows_as_a_scan() {
    let loaded = Loaded::start().await;
    let claims = |n: u32| {
        let api = loaded.server.api();
        async move {
            let path = "POST /workflows/1/claim_next_jobs?limit=1";
            let key = format!("pages-{n}");
            let headers = [
                ("idempotency-key", key.as_str()),
                ("content-type", "application/json"),
            ];
            api.send_raw(path, Some("{}".to_owned()), &headers).await
        }
    };
    assert_eq!(claims(1).await.status, 200);
    let scanning = async || {
        let page = loaded.json("/debug/statements").await;
        let rows = page["statements"].as_array().unwrap().clone();
        let scanning = rows.into_iter().filter(|row| row["scans"] == true);
        scanning.collect::<Vec<Value>>()
    };
    assert_eq!(scanning().await, Vec::<Value>::new());

    let database = rusqlite::Connection::open(loaded.directory.path().join("x.db")).unwrap();
    database.busy_timeout(Duration::from_secs(30)).unwrap();
    database
        .execute_batch("DROP INDEX job_claim_token")
        .unwrap();
    let start = std::time::Instant::now();
    let row = loop {
        // A plan that took too long is asked for again at the next look.
        if let Some(row) = scanning().await.into_iter().next() {
            break row;
        }
        assert!(start.elapsed() < HANG, "no statement scans");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let text = row["texts"][0]["text"].as_str().unwrap();
    assert!(text.contains("claim_token = ?"), "{row}");
    let scan = &row["texts"][0]["scans"][0];
    assert_eq!(scan["table"], "job", "{row}");
    assert!(
        scan["step"].as_str().unwrap().starts_with("SCAN job"),
        "{row}"
    );
    assert!(scan["rows"].as_i64().unwrap() >= 200, "{row}");
    let (_, _, table) = loaded.ask("/debug/statements?format=text", None).await;
    assert!(
        table.contains("SCANS") && table.contains("<- scans"),
        "{table}"
    );

    let browser = Browser::start(1200, 900).await;
    browser
        .open(&loaded.url("/debug/statements?window=start"))
        .await;
    let id = row["id"].as_str().unwrap();
    let verdict = format!("return document.querySelector('#verdict').textContent.includes('{id}')");
    browser.wait(&verdict).await;
    browser.click("#only-scans").await;
    let only = "return [...document.querySelectorAll('#statements-table tr.row')].map((row) => row.dataset.name)";
    browser
        .wait(&format!(
            "const all = (() => {{ {only} }})(); return all.length === 1"
        ))
        .await;
    assert_eq!(browser.run(only).await, json!([id]));
    browser
        .click(&format!("tr[data-name='{id}'] button.open"))
        .await;
    browser
        .wait("return document.querySelector('.plan .flag')?.textContent.includes('SCAN job')")
        .await;
    browser
        .wait("return document.querySelector('tr.detail path.line')")
        .await;
    assert_clean(&browser, &loaded).await;
}

#[tokio::test]
async fn pages_fit_the_dark_eighty_columns_and_a_phone() {
    let loaded = Loaded::start().await;
    let browser = Browser::start(1200, 900).await;
    browser.open(&loaded.url("/")).await;
    browser.click("a[href='/debug/']").await;
    browser
        .wait("return document.querySelector('[data-of=\"cost of a record\"]')")
        .await;
    let brightness =
        "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]";
    for (dark, width) in [(false, 640), (true, 640), (true, 360)] {
        browser.dark(dark).await;
        browser.resize(width, 800).await;
        for page in ["", "timings", "writer", "statements"] {
            browser.open(&loaded.url(&format!("/debug/{page}"))).await;
            browser
                .wait("return document.querySelectorAll('tbody tr').length")
                .await;
            let bright = browser.run(brightness).await.as_f64().unwrap();
            assert_eq!(bright < 128.0, dark, "/debug/{page} dark {dark}: {bright}");
            let wide = browser
                .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
                .await;
            assert_eq!(wide, 0, "/debug/{page} at {width}");
        }
    }
    // Whoever comes by the keyboard sees where they are.
    browser.keys("#pause", "\u{E004}").await;
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.run(outline).await, "solid");
    assert_clean(&browser, &loaded).await;
}
