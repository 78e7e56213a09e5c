//! How Copilot applies the overrides of an environment: scalars and lists are replaced, maps are
//! merged by key, and nothing can be removed.

use serde_saphyr::Spanned;

use crate::yaml::ShortOr;

/// A part of a manifest that is merged by key.
pub trait Overlay {
    /// `self` with the values of `over` where it has any.
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

/// The place is that of the override: a mistake is most likely there.
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

/// Implements [`Overlay`] for a struct: the fields to merge, then those to replace.
macro_rules! overlay {
    ($type:ident: merges($($merged:ident),*), replaces($($replaced:ident),*)) => {
        impl $crate::copilot::manifest::overlay::Overlay for $type {
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
