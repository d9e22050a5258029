//! Who waits for whom: cycles, and the order in which jobs can be created.
//!
//! Files and user data are nodes of their own between those that write and those that
//! read them. So a file with a thousand writers and readers costs two thousand edges,
//! not a million.

use std::collections::HashMap;

use super::link::Links;

/// Jobs that wait for one another, the first one again at the end; each waits for the next.
#[derive(Debug, PartialEq, Eq)]
pub struct Cycle {
    /// Places of the jobs.
    pub jobs: Vec<usize>,
}

/// The level of each job: 0 if it depends on none by name, else one more than the
/// highest of those.
///
/// Dependencies by files are left out, because the server finds them by itself.
///
/// # Errors
///
/// One of the cycles, also where it leads through files.
pub fn levels(links: &[Links], files: usize, user_data: usize) -> Result<Vec<usize>, Cycle> {
    let graph = Graph::new(links, files, user_data);
    let order = graph.order()?;
    let mut levels = vec![0; links.len()];
    for node in order {
        if let Some(job) = links.get(node) {
            let below = job.depends_on.iter().map(|job| levels[*job] + 1);
            levels[node] = below.max().unwrap_or(0);
        }
    }
    Ok(levels)
}

/// Edges lead from what must come first to what comes later.
struct Graph {
    jobs: usize,
    later: Adjacency,
    earlier: Adjacency,
}

impl Graph {
    fn new(links: &[Links], files: usize, user_data: usize) -> Self {
        let jobs = links.len();
        let mut edges: Vec<(usize, usize)> = Vec::new();
        for (job, links) in links.iter().enumerate() {
            edges.extend(links.depends_on.iter().map(|earlier| (*earlier, job)));
        }
        let relations: [(usize, Relation); 2] = [
            (jobs, |links| (&links.input_files, &links.output_files)),
            (jobs + files, |links| {
                (&links.input_user_data, &links.output_user_data)
            }),
        ];
        for (first_node, relation) in relations {
            add_data_edges(links, first_node, relation, &mut edges);
        }
        let nodes = jobs + files + user_data;
        let later = Adjacency::new(nodes, edges.iter().copied());
        let earlier = Adjacency::new(nodes, edges.iter().map(|(from, to)| (*to, *from)));
        Self {
            jobs,
            later,
            earlier,
        }
    }

    /// All nodes, each after those it waits for.
    fn order(&self) -> Result<Vec<usize>, Cycle> {
        let nodes = self.earlier.len();
        let mut waits: Vec<usize> = (0..nodes).map(|node| self.earlier.of(node).len()).collect();
        let mut order: Vec<usize> = (0..nodes).filter(|node| waits[*node] == 0).collect();
        let mut next = 0;
        while let Some(node) = order.get(next).copied() {
            next += 1;
            for later in self.later.of(node) {
                waits[*later] -= 1;
                if waits[*later] == 0 {
                    order.push(*later);
                }
            }
        }
        match waits.iter().position(|count| *count > 0) {
            None => Ok(order),
            Some(stuck) => Err(self.cycle(stuck, &waits)),
        }
    }

    /// Goes back from a stuck node: what it waits for is stuck too, so the way must
    /// come round in the end.
    fn cycle(&self, stuck: usize, waits: &[usize]) -> Cycle {
        let mut seen = vec![usize::MAX; waits.len()];
        let mut way: Vec<usize> = Vec::new();
        let mut node = stuck;
        while seen[node] == usize::MAX {
            seen[node] = way.len();
            way.push(node);
            let earlier = self.earlier.of(node).iter();
            match earlier.copied().find(|earlier| waits[*earlier] > 0) {
                Some(earlier) => node = earlier,
                None => break,
            }
        }
        let round = &way[seen[node].min(way.len())..];
        let mut jobs: Vec<usize> = round
            .iter()
            .copied()
            .filter(|node| *node < self.jobs)
            .collect();
        // The one that stands first in the spec begins the story.
        if let Some(first) = (0..jobs.len()).min_by_key(|place| jobs[*place]) {
            jobs.rotate_left(first);
            jobs.push(jobs[0]);
        }
        Cycle { jobs }
    }
}

/// What a job reads and what it writes.
type Relation = fn(&Links) -> (&Vec<usize>, &Vec<usize>);

/// Adds the edges from writers to readers by way of what they write and read.
///
/// A job that reads and writes the same file works on it in place. It waits for the
/// other writers, and the other readers wait for it, but it does not wait for itself;
/// so its way to the readers is direct. Two such jobs wait for each other, which the
/// edges of the first two show; with more of them there is nothing more to show.
fn add_data_edges(
    links: &[Links],
    first_node: usize,
    relation: Relation,
    edges: &mut Vec<(usize, usize)>,
) {
    let mut in_place: HashMap<usize, Vec<usize>> = HashMap::new();
    for (job, links) in links.iter().enumerate() {
        let (read, written) = relation(links);
        edges.extend(read.iter().map(|place| (first_node + place, job)));
        for place in written {
            if read.binary_search(place).is_ok() {
                in_place.entry(*place).or_default().push(job);
            } else {
                edges.push((job, first_node + place));
            }
        }
    }
    if in_place.is_empty() {
        return;
    }
    for (reader, links) in links.iter().enumerate() {
        for place in relation(links).0 {
            let workers = in_place.get(place).into_iter().flatten().take(2);
            let others = workers.filter(|worker| **worker != reader);
            edges.extend(others.map(|worker| (*worker, reader)));
        }
    }
}

/// The neighbours of all nodes in one piece of memory.
struct Adjacency {
    starts: Vec<usize>,
    neighbours: Vec<usize>,
}

impl Adjacency {
    fn new(nodes: usize, edges: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let mut starts = vec![0; nodes + 1];
        for (from, _) in edges.clone() {
            starts[from + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut free = starts.clone();
        let mut neighbours = vec![0; starts[nodes]];
        for (from, to) in edges {
            neighbours[free[from]] = to;
            free[from] += 1;
        }
        Self { starts, neighbours }
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn of(&self, node: usize) -> &[usize] {
        &self.neighbours[self.starts[node]..self.starts[node + 1]]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::levels;
    use crate::spec::link::Links;

    fn jobs(depends_on: &[&[usize]]) -> Vec<Links> {
        let link = |list: &&[usize]| Links {
            depends_on: list.to_vec(),
            ..Links::default()
        };
        depends_on.iter().map(link).collect()
    }

    #[test]
    fn levels_follow_names_and_not_files() {
        let mut links = jobs(&[&[], &[0], &[0], &[1, 2], &[]]);
        assert_eq!(levels(&links, 0, 0).unwrap(), [0, 1, 1, 2, 0]);
        links[3].output_files = vec![0];
        links[4].input_files = vec![0];
        assert_eq!(levels(&links, 1, 0).unwrap(), [0, 1, 1, 2, 0]);
    }

    #[test]
    fn cycles_are_named_from_their_first_job() {
        let links = jobs(&[&[], &[3], &[1], &[2], &[3]]);
        assert_eq!(levels(&links, 0, 0).unwrap_err().jobs, [1, 3, 2, 1]);
        assert_eq!(levels(&jobs(&[&[0]]), 0, 0).unwrap_err().jobs, [0, 0]);
    }

    #[test]
    fn a_cycle_may_lead_through_files() {
        let mut links = jobs(&[&[], &[0]]);
        links[1].output_files = vec![0];
        links[0].input_files = vec![0];
        assert_eq!(levels(&links, 1, 0).unwrap_err().jobs, [0, 1, 0]);
    }

    #[test]
    fn work_in_place_is_no_cycle_but_two_of_it_are() {
        let mut links = jobs(&[&[], &[], &[], &[]]);
        links[0].output_files = vec![0];
        links[1].input_files = vec![0];
        links[1].output_files = vec![0];
        links[2].input_files = vec![0];
        assert_eq!(levels(&links, 1, 0).unwrap(), [0, 0, 0, 0]);
        links[1].depends_on = vec![2];
        assert_eq!(levels(&links, 1, 0).unwrap_err().jobs, [1, 2, 1]);
        links[1].depends_on.clear();
        links[3].input_files = vec![0];
        links[3].output_files = vec![0];
        assert_eq!(levels(&links, 1, 0).unwrap_err().jobs, [1, 3, 1]);
    }

    proptest! {
        #[test]
        fn edges_that_lead_back_only_make_no_cycle(
            edges in proptest::collection::vec((1_usize..40, any::<prop::sample::Index>()), 0..120),
        ) {
            let mut links: Vec<Links> = (0..40).map(|_| Links::default()).collect();
            for (job, earlier) in &edges {
                links[*job].depends_on.push(earlier.index(*job));
            }
            let found = levels(&links, 0, 0).unwrap();
            for (job, links) in links.iter().enumerate() {
                let expected = links.depends_on.iter().map(|e| found[*e] + 1).max().unwrap_or(0);
                prop_assert_eq!(found[job], expected);
            }
        }

        #[test]
        fn a_cycle_found_is_a_cycle(edges in proptest::collection::vec((0_usize..12, 0_usize..12), 0..40)) {
            let mut links: Vec<Links> = (0..12).map(|_| Links::default()).collect();
            for (job, earlier) in &edges {
                links[*job].depends_on.push(*earlier);
            }
            if let Err(cycle) = levels(&links, 0, 0) {
                prop_assert!(cycle.jobs.len() > 1);
                prop_assert_eq!(cycle.jobs.first(), cycle.jobs.last());
                for pair in cycle.jobs.windows(2) {
                    prop_assert!(links[pair[0]].depends_on.contains(&pair[1]));
                }
            }
        }
    }
}
