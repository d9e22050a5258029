//! Spares a layer the callbacks that it has no use for.
//!
//! A filter around a layer looks up whether the layer knows a span each time the span is
//! entered, left or closed, also when the layer does nothing then. A request enters its span
//! at each poll, so that adds up (docs/performance.md, "What was changed").

use std::any::TypeId;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;

/// A filtered layer that is not told when a span is entered or left.
pub struct Still<L> {
    layer: L,
    closes: bool,
}

impl<L> Still<L> {
    /// A layer that wants to know when a span closes.
    pub fn but_closes(layer: L) -> Self {
        let closes = true;
        Self { layer, closes }
    }

    /// A layer to which a span matters only at its beginning, and when others speak of it.
    pub fn new(layer: L) -> Self {
        let closes = false;
        Self { layer, closes }
    }
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for Still<L> {
    fn on_register_dispatch(&self, subscriber: &tracing::Dispatch) {
        self.layer.on_register_dispatch(subscriber);
    }

    fn on_layer(&mut self, subscriber: &mut S) {
        self.layer.on_layer(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.layer.register_callsite(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        self.layer.enabled(metadata, ctx)
    }

    fn on_new_span(&self, attrs: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        self.layer.on_new_span(attrs, id, ctx);
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.layer.max_level_hint()
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        self.layer.on_record(span, values, ctx);
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, ctx: Context<'_, S>) {
        self.layer.on_follows_from(span, follows, ctx);
    }

    fn event_enabled(&self, event: &Event<'_>, ctx: Context<'_, S>) -> bool {
        self.layer.event_enabled(event, ctx)
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        self.layer.on_event(event, ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        if self.closes {
            self.layer.on_close(id, ctx);
        }
    }

    fn on_id_change(&self, old: &Id, new: &Id, ctx: Context<'_, S>) {
        self.layer.on_id_change(old, new, ctx);
    }

    // SAFETY: what is found is what the layer inside answers for the same type, and lives
    // as long as `self` does, of which it is a part. It must be handed on: by it the registry
    // learns that there is a filter inside.
    #[expect(
        unsafe_code,
        reason = "the trait's method is unsafe; this one hands it on"
    )]
    unsafe fn downcast_raw(&self, id: TypeId) -> Option<*const ()> {
        unsafe { self.layer.downcast_raw(id) }
    }
}
