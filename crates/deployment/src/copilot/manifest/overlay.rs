//! How Copilot lays an environment's overrides over the rest of a manifest: scalars and lists
//! replace, maps merge by key, and nothing can be taken away.

use serde_saphyr::Spanned;

use crate::copilot::yaml::ShortOr;

/// A part of a manifest that merges by key.
pub trait Overlay {
    /// `over`, and what it does not say as `self` has it.
    fn overlaid(self, over: Self) -> Self;
}

impl<T: Overlay> Overlay for Option<T> {
    fn overlaid(self, over: Self) -> Self {
        match (self, over) {
            (Some(base), Some(over)) => Some(base.overlaid(over)),
            (base, over) => over.or(base),
        }
    }
}

/// What is wrong with the whole is most likely wrong where it was changed last.
impl<T: Overlay> Overlay for Spanned<T> {
    fn overlaid(self, over: Self) -> Self {
        Self { value: self.value.overlaid(over.value), ..over }
    }
}

/// `count: 2` replaces a range, and a range replaces it.
impl<S, L: Overlay> Overlay for ShortOr<S, L> {
    fn overlaid(self, over: Self) -> Self {
        match (self, over) {
            (Self::Long(base), Self::Long(over)) => Self::Long(base.overlaid(over)),
            (_, over) => over,
        }
    }
}

/// Implements [`Overlay`] for a struct: the fields that merge, then those that replace.
macro_rules! overlay {
    ($type:ident: merges($($merged:ident),*), replaces($($replaced:ident),*)) => {
        impl $crate::copilot::manifest::Overlay for $type {
            fn overlaid(self, over: Self) -> Self {
                Self {
                    $($merged: self.$merged.overlaid(over.$merged),)*
                    $($replaced: over.$replaced.or(self.$replaced),)*
                }
            }
        }
    };
}

pub(super) use overlay;
