//! Combines parameters: every combination is one copy of a declaration.

use super::declarations::{Parameter, ParameterMode};
use super::parameters::{MOST_VALUES, ParameterValue};

/// One value for each parameter.
pub type Combination<'p> = Vec<(&'p str, &'p ParameterValue)>;

/// All combinations; the last parameter changes fastest.
///
/// # Errors
///
/// What is wrong, in a sentence.
pub fn combinations<'p>(
    parameters: &[&'p Parameter],
    mode: ParameterMode,
) -> Result<Vec<Combination<'p>>, String> {
    let count = match mode {
        ParameterMode::Product => product_count(parameters)?,
        ParameterMode::Zip => zip_count(parameters)?,
    };
    Ok((0..count)
        .map(|index| pick(parameters, mode, index))
        .collect())
}

fn product_count(parameters: &[&Parameter]) -> Result<usize, String> {
    parameters
        .iter()
        .try_fold(1_usize, |count, parameter| {
            count.checked_mul(parameter.values.len())
        })
        .filter(|count| *count <= MOST_VALUES)
        .ok_or_else(|| format!("the parameters make more than {MOST_VALUES} combinations"))
}

fn zip_count(parameters: &[&Parameter]) -> Result<usize, String> {
    let Some(first) = parameters.first() else {
        return Ok(1);
    };
    let count = first.values.len();
    match parameters.iter().find(|other| other.values.len() != count) {
        None => Ok(count),
        Some(other) => Err(format!(
            "`zip` takes as many values of each parameter: `{}` has {count}, `{}` has {}",
            first.name.value,
            other.name.value,
            other.values.len()
        )),
    }
}

/// The combination at a place in the order, counted as in a number with mixed bases.
fn pick<'p>(parameters: &[&'p Parameter], mode: ParameterMode, index: usize) -> Combination<'p> {
    let mut rest = index;
    let mut combination: Combination<'p> = parameters
        .iter()
        .rev()
        .map(|parameter| {
            let count = parameter.values.len();
            let place = match mode {
                ParameterMode::Zip => index,
                ParameterMode::Product => {
                    let place = rest % count;
                    rest /= count;
                    place
                }
            };
            (parameter.name.value.as_str(), &parameter.values[place])
        })
        .collect();
    combination.reverse();
    combination
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::combinations;
    use crate::spec::declarations::{Parameter, ParameterMode};
    use crate::spec::parameters::ParameterValue;
    use crate::spec::tree::{Spanned, Spot};

    fn parameter(name: &str, count: usize) -> Parameter {
        Parameter {
            name: Spanned {
                at: Spot::START,
                value: name.to_owned(),
            },
            values: (0..count).map(|n| ParameterValue::Int(n as i64)).collect(),
        }
    }

    fn picked(parameters: &[Parameter], mode: ParameterMode) -> Result<Vec<Vec<String>>, String> {
        let parameters: Vec<&Parameter> = parameters.iter().collect();
        let all = combinations(&parameters, mode)?;
        Ok(all
            .into_iter()
            .map(|one| {
                one.iter()
                    .map(|(name, value)| format!("{name}{value}"))
                    .collect()
            })
            .collect())
    }

    #[test]
    fn the_last_parameter_changes_fastest() {
        let parameters = [parameter("a", 2), parameter("b", 2)];
        let product = picked(&parameters, ParameterMode::Product).unwrap();
        assert_eq!(
            product,
            [["a0", "b0"], ["a0", "b1"], ["a1", "b0"], ["a1", "b1"]]
        );
        let zip = picked(&parameters, ParameterMode::Zip).unwrap();
        assert_eq!(zip, [["a0", "b0"], ["a1", "b1"]]);
    }

    #[test]
    fn too_many_combinations_are_refused_before_they_are_made() {
        let parameters = ["a", "b", "c", "d"].map(|name| parameter(name, 1000));
        assert!(picked(&parameters, ParameterMode::Product).is_err());
    }

    proptest! {
        #[test]
        fn a_product_has_every_combination_once(counts in proptest::collection::vec(1_usize..6, 1..5)) {
            let parameters: Vec<_> = counts.iter().enumerate().map(|(i, n)| parameter(&format!("p{i}_"), *n)).collect();
            let all = picked(&parameters, ParameterMode::Product).unwrap();
            prop_assert_eq!(all.len(), counts.iter().product::<usize>());
            prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        }

        #[test]
        fn a_zip_wants_equal_lengths(counts in proptest::collection::vec(1_usize..4, 1..4)) {
            let parameters: Vec<_> = counts.iter().enumerate().map(|(i, n)| parameter(&format!("p{i}_"), *n)).collect();
            let all = picked(&parameters, ParameterMode::Zip);
            if counts.iter().all(|n| *n == counts[0]) {
                prop_assert_eq!(all.unwrap().len(), counts[0]);
            } else {
                prop_assert!(all.is_err());
            }
        }
    }
}
