//! Where the time of a write goes: histograms without spans.
