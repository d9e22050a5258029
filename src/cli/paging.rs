//! Options of lists, and reading lists to their end.

use clap::Args;

use super::failure::Failure;
use crate::client::ClientError;
use crate::wire::page::{MAX_LIMIT, Page};

/// Which part of a list, and in which order.
#[derive(Debug, Clone, Default, Args)]
pub struct ListArgs {
    /// Rows at most; all when absent
    #[arg(short, long, value_parser = clap::value_parser!(i64).range(1..))]
    pub limit: Option<i64>,
    /// Rows to skip
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    pub offset: i64,
    /// Field to sort by
    #[arg(long, value_name = "FIELD")]
    pub sort_by: Option<String>,
    /// Highest first
    #[arg(long)]
    pub reverse_sort: bool,
}

/// Reads pages until the list, or what is wanted of it, is at its end.
///
/// `page` gets the offset and the limit of the page to read.
///
/// # Errors
///
/// [`Failure`] if the server refuses.
pub async fn all<T, F>(
    args: &ListArgs,
    mut page: impl FnMut(i64, i64) -> F,
) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<Page<T>, ClientError>>,
{
    let wanted = args.limit.unwrap_or(i64::MAX);
    let mut items: Vec<T> = Vec::new();
    loop {
        let have = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let limit = (wanted - have).min(MAX_LIMIT);
        let answer = page(args.offset.saturating_add(have), limit).await?;
        let more = answer.has_more && !answer.items.is_empty();
        items.extend(answer.items);
        if !more || i64::try_from(items.len()).unwrap_or(i64::MAX) >= wanted {
            return Ok(items);
        }
    }
}
