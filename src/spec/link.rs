//! Turns names and patterns into places, and tells about those that lead nowhere.

use super::declarations::References;
use super::expand::{Expanded, ExpandedJob};
use super::fields::Text;
use super::names::Names;
use super::problem::Problems;

/// Relations that one spec may have in all. Two careless patterns can ask for billions.
const MOST_LINKS: usize = 20_000_000;

/// The relations of one job, as places in the lists of the spec.
#[derive(Debug, Default)]
pub struct Links {
    /// Its resource requirements.
    pub resource_requirements: Option<usize>,
    /// Jobs it waits for.
    pub depends_on: Vec<usize>,
    /// Files it reads.
    pub input_files: Vec<usize>,
    /// Files it writes.
    pub output_files: Vec<usize>,
    /// User data it reads.
    pub input_user_data: Vec<usize>,
    /// User data it writes.
    pub output_user_data: Vec<usize>,
}

/// The relations of all jobs.
pub fn link(expanded: &Expanded, problems: &Problems) -> Vec<Links> {
    let requirements = expanded.resource_requirements.iter();
    let mut linker = Linker {
        jobs: Names::new(
            expanded
                .jobs
                .iter()
                .map(|job| job.name.value.as_str())
                .collect(),
        ),
        files: Names::new(
            expanded
                .files
                .iter()
                .map(|file| file.value.name.as_str())
                .collect(),
        ),
        user_data: Names::new(
            expanded
                .user_data
                .iter()
                .map(|record| record.value.name.as_str())
                .collect(),
        ),
        requirements: Names::new(requirements.map(|row| row.value.name.as_str()).collect()),
        links: 0,
        problems,
    };
    expanded.jobs.iter().map(|job| linker.job(job)).collect()
}

struct Linker<'e> {
    jobs: Names<'e>,
    files: Names<'e>,
    user_data: Names<'e>,
    requirements: Names<'e>,
    links: usize,
    problems: &'e Problems,
}

impl Linker<'_> {
    fn job(&mut self, job: &ExpandedJob) -> Links {
        let links = Links {
            resource_requirements: job.resource_requirements.as_ref().and_then(|name| {
                find(
                    &self.requirements,
                    name,
                    "resource requirements",
                    self.problems,
                )
            }),
            depends_on: self.resolve(&job.depends_on, "job", |s| &s.jobs),
            input_files: self.resolve(&job.input_files, "file", |s| &s.files),
            output_files: self.resolve(&job.output_files, "file", |s| &s.files),
            input_user_data: self.resolve(&job.input_user_data, "user data", |s| &s.user_data),
            output_user_data: self.resolve(&job.output_user_data, "user data", |s| &s.user_data),
        };
        let before = self.links;
        self.links += links.depends_on.len()
            + links.input_files.len()
            + links.output_files.len()
            + links.input_user_data.len()
            + links.output_user_data.len();
        if before <= MOST_LINKS && self.links > MOST_LINKS {
            let message = format!("the jobs up to here have more than {MOST_LINKS} relations");
            let help = "let a job in between wait for the many, and the others for it";
            self.problems.add_with_help(job.name.at, message, help);
        }
        links
    }

    fn resolve(
        &self,
        references: &References,
        noun: &str,
        names: impl Fn(&Self) -> &Names<'_>,
    ) -> Vec<usize> {
        let names = names(self);
        let exact = references
            .names
            .iter()
            .filter_map(|name| find(names, name, noun, self.problems));
        let mut found: Vec<usize> = exact.collect();
        // Beyond the limit the spec is refused anyway, and memory is dear.
        if self.links <= MOST_LINKS {
            for pattern in &references.patterns {
                match names.matching(&pattern.value) {
                    Ok(places) if places.is_empty() => {
                        let message = format!("no {noun} matches `{}`", pattern.value);
                        self.problems.add(pattern.at, message);
                    }
                    Ok(places) => found.extend_from_slice(&places),
                    Err(reason) => {
                        let message =
                            format!("`{}` is no regular expression: {reason}", pattern.value);
                        self.problems.add(pattern.at, message);
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn find(names: &Names<'_>, name: &Text, noun: &str, problems: &Problems) -> Option<usize> {
    let found = names.find(&name.value);
    if found.is_none() {
        let verb = if noun.ends_with("ts") { "are" } else { "is" };
        let message = format!("there {verb} no {noun} named `{}`", name.value);
        problems.push(name.at, message, names.suggest(&name.value));
    }
    found
}
