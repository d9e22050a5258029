//! Specs: what a good one becomes, and what is told about a bad one.

use std::time::Instant;

use torc_server::spec::{self, Plan};
use torc_server::wire::workflow_config::StdioMode;

fn plan(yaml: &str) -> Plan {
    spec::parse(yaml, "yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(yaml: &str) -> String {
    spec::parse(yaml, "yaml").unwrap_err().to_string()
}

fn names(plan: &Plan, places: &[usize]) -> Vec<String> {
    let name = |place: &usize| plan.jobs[*place].model.name.clone();
    places.iter().map(name).collect()
}

/// Every mistake at once, each with its place, in the order of the source.
#[test]
fn all_mistakes_are_told_at_once() {
    insta::assert_snapshot!(errors(include_str!("specs/broken.yaml")));
}

/// What later versions can do is refused by name, never dropped.
#[test]
fn what_this_version_lacks_is_refused() {
    insta::assert_snapshot!(errors(include_str!("specs/unsupported.yaml")));
    let kdl = spec::parse("name \"x\"", "kdl").unwrap_err();
    insta::assert_snapshot!(kdl);
}

/// Everything that the format has and this version supports, in one spec.
#[test]
fn a_whole_spec_becomes_a_plan() {
    let plan = plan(include_str!("specs/whole.yaml"));
    let jobs: Vec<_> = plan
        .jobs
        .iter()
        .map(|job| {
            serde_json::json!({
                "model": job.model,
                "level": job.level,
                "resource_requirements": job.resource_requirements,
                "depends_on": job.depends_on,
                "input_files": job.input_files,
                "output_files": job.output_files,
                "input_user_data": job.input_user_data,
                "output_user_data": job.output_user_data,
            })
        })
        .collect();
    insta::assert_json_snapshot!(serde_json::json!({
        "workflow": plan.workflow,
        "files": plan.files,
        "user_data": plan.user_data,
        "resource_requirements": plan.resource_requirements,
        "jobs": jobs,
        "summary": plan.summary,
        "warnings": plan.summary.warnings,
    }));
}

/// The three formats give one plan.
#[test]
fn formats_agree() {
    let yaml = "name: n\nparameters: {i: '1:2'}\njobs:\n- {name: 'a{i}', command: 'echo ä', use_parameters: [i]}\n";
    let json = r#"{"name": "n", "parameters": {"i": "1:2"},
        "jobs": [{"name": "a{i}", "command": "echo ä", "use_parameters": ["i"]}]}"#;
    let json5 = "// one job\n{name: 'n', parameters: {i: '1:2'},\n jobs: [{name: 'a{i}', command: 'echo ä', use_parameters: ['i'],},]}";
    let expected = format!("{:?}", plan(yaml));
    for (text, extension) in [
        (json, "json"),
        (json5, "json5"),
        (yaml, "yml"),
        (yaml, ""),
        (json, ""),
        (json5, "txt"),
    ] {
        let plan = spec::parse(text, extension).unwrap();
        assert_eq!(format!("{plan:?}"), expected, "{extension}");
    }
}

/// Own parameters win entirely over the workflow's; unnamed ones multiply nothing.
#[test]
fn parameters_are_inherited_by_name() {
    let plan = plan(
        "name: n\nparameters: {i: '1:3', x: [a, b]}\njobs:\n\
         - {name: 'own{i}', command: c, use_parameters: [i, x], parameters: {i: 7}}\n\
         - {name: 'both{i}{x}', command: c, use_parameters: [i, x]}\n\
         - {name: 'one{x}{i}', command: c, use_parameters: [x]}\n\
         - {name: none, command: c}\n\
         - {name: 'z{i}{x}', command: c, parameters: {i: '1:2', x: [p, q]}, parameter_mode: zip}\n",
    );
    let all: Vec<usize> = (0..plan.jobs.len()).collect();
    assert_eq!(
        names(&plan, &all).join(" "),
        "own7 both1a both1b both2a both2b both3a both3b onea{i} oneb{i} none z1p z2q"
    );
}

/// A job that names neither a list nor a pattern may still say all in its command.
#[test]
fn a_command_declares_what_it_uses() {
    let plan = plan(
        "name: n\nfiles: [{name: a, path: a.txt}, {name: b, path: b.txt}]\njobs:\n\
         - {name: write, command: 'date > ${files.output.a}'}\n\
         - {name: read, command: 'cat ${files.input.a}', input_files: [b]}\n\
         - {name: scripted, invocation_script: 'X=${files.input.a}', command: c, input_files: [b]}\n",
    );
    assert_eq!(plan.jobs[0].output_files, [0]);
    assert_eq!(plan.jobs[1].input_files, [0]);
    assert_eq!(plan.jobs[1].model.command, "cat a.txt");
    assert_eq!(plan.jobs[2].input_files, [0, 1]);
    assert_eq!(plan.summary.warnings.len(), 1);
}

#[test]
fn stdio_of_jobs_is_kept_on_the_workflow() {
    let plan = plan(
        "name: n\njobs:\n- {name: 'j{i}', command: c, parameters: {i: '1:2'}, stdio: {mode: none}}\n",
    );
    let config = plan.workflow.execution_config.unwrap();
    let overrides = config.job_stdio_overrides.unwrap();
    assert_eq!(overrides.len(), 2);
    assert_eq!(overrides["j2"].mode, Some(StdioMode::None));
}

/// The bound is there to catch what grows with the square of the jobs; the figure that
/// counts is printed.
#[test]
fn a_hundred_thousand_jobs_load_quickly() {
    let mut text = "name: big\nparameters: {i: '1:50000'}\njobs:\n\
        - {name: 'work{i}', command: 'sleep {i}', use_parameters: [i]}\n\
        - {name: 'check{i}', command: 'true', depends_on_regexes: ['^work{i}$'], use_parameters: [i]}\n\
        - {name: end, command: 'true', depends_on_regexes: ['^check']}\n"
        .to_owned();
    let start = Instant::now();
    let expanded = plan(&text);
    println!("100,001 jobs by parameters: {:?}", start.elapsed());
    assert_eq!(expanded.jobs.len(), 100_001);
    assert_eq!(expanded.jobs[100_000].depends_on.len(), 50_000);
    assert_eq!(expanded.jobs[99_999].depends_on, [49_999]);

    text = "name: big\njobs:\n".to_owned();
    for job in 0..100_000 {
        let before = job / 2;
        text += &format!("- name: job_{job}\n  command: echo {job}\n  priority: 3\n");
        if job > 0 {
            text += &format!("  depends_on: [job_{before}]\n");
        }
    }
    let text = text
        .replace("[job_0]", "[job_99999]")
        .replacen("[job_99999]", "[job_0]", 1);
    let start = Instant::now();
    let result = spec::parse(&text, "yaml");
    println!("100,000 jobs written out: {:?}", start.elapsed());
    drop(result);
    assert!(start.elapsed().as_secs() < 60);
}

/// A version is no number to its program: `1.10` is not `1.1`.
#[test]
fn numbers_in_env_stay_as_they_are_written() {
    let written = ["1.10", "007", "1e3", "0x10", "-0", "+5", ".5", "TRUE"];
    let yaml: Vec<String> = written
        .iter()
        .enumerate()
        .map(|(nth, text)| format!("V{nth}: {text}"))
        .collect();
    let yaml = yaml.join(", ");
    let text =
        format!("name: n\nenv: {{{yaml}}}\njobs: [{{name: a, command: c, env: {{{yaml}}}}}]\n");
    let plan = plan(&text);
    let workflow: Vec<String> = plan.workflow.env.unwrap().into_values().collect();
    assert_eq!(workflow, written);
    let job: Vec<String> = plan.jobs[0]
        .model
        .env
        .clone()
        .unwrap()
        .into_values()
        .collect();
    assert_eq!(job, written);
    let json5 = "{name: 'n', env: {A: 1.10, B: 0x1F, C: +5, D: true, E: 1e3}, jobs: [{name: 'a', command: 'c'}]}";
    let env = spec::parse(json5, "json5").unwrap().workflow.env.unwrap();
    let values: Vec<String> = env.into_values().collect();
    assert_eq!(values, ["1.10", "0x1F", "+5", "true", "1e3"]);
}

#[test]
fn signals_are_known_by_their_names() {
    let signal = |name: &str| {
        let text = format!(
            "name: n\njobs: [{{name: a, command: c}}]\nexecution_config: {{termination_signal: {name}}}\n"
        );
        let plan = spec::parse(&text, "yaml")?;
        Ok::<_, spec::SpecErrors>(
            plan.workflow
                .execution_config
                .and_then(|it| it.termination_signal),
        )
    };
    assert_eq!(signal("SIGINT").unwrap().as_deref(), Some("SIGINT"));
    assert_eq!(signal("usr1").unwrap().as_deref(), Some("SIGUSR1"));
    // The default is not worth storing.
    assert_eq!(signal("SIGTERM").unwrap(), None);
    let told = signal("SIGUSER1").unwrap_err().to_string();
    assert!(
        told.contains("spec.yaml:3:40: `SIGUSER1` is no signal for jobs"),
        "{told}"
    );
    assert!(told.contains("help: did you mean `SIGUSR1`?"), "{told}");
}

/// What is taken and changes nothing is told; what says the truth anyway is not.
#[test]
fn keys_without_effect_are_told() {
    let text = "name: n\nenable_ro_crate: false\ncompute_node_expiration_buffer_seconds: 5\n\
        dynamic_jobs: {max_iterations: 3}\nresource_monitor: {generate_plots: true}\n\
        execution_config: {limit_resources: true, staggered_start: false, oom_exit_code: 9}\n\
        jobs: [{name: a, command: c, supports_termination: true}]\n";
    let warnings = plan(text).summary.warnings;
    let told: Vec<&str> = warnings
        .iter()
        .filter_map(|it| it.message.split('`').nth(1))
        .collect();
    assert_eq!(
        told,
        [
            "compute_node_expiration_buffer_seconds",
            "dynamic_jobs",
            "resource_monitor",
            "limit_resources",
            "oom_exit_code",
            "supports_termination",
        ]
    );
}

/// Warnings come with the mistakes, not only when these are gone.
#[test]
fn mistakes_hide_no_warnings() {
    let text = "name: n\nenable_ro_crate: true\njobs: [{name: a, comand: c}]\n";
    let errors = spec::parse(text, "yaml").unwrap_err();
    assert_eq!((errors.problems.len(), errors.warnings.len()), (2, 1));
}
