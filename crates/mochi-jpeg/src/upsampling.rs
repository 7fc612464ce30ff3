//! Which upsampling the chroma of an image needs.

/// Upsampling of chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upsampling {
    /// There is none: grayscale.
    Grayscale,
    /// 4:4:4.
    Full,
    /// 4:2:2.
    Across,
    /// 4:4:0.
    Down,
    /// 4:2:0.
    Both,
    /// 4:2:2 and 4:2:0 of at most two columns; `true`: halved in height too.
    Repeat(bool),
}

impl Upsampling {
    /// The upsampling for `across` x `down` blocks of luma per MCU and chroma with `columns` columns.
    pub(crate) fn of(components: usize, (across, down): (usize, usize), columns: usize) -> Self {
        match (components, across, down) {
            (1, ..) => Self::Grayscale,
            (_, 2, _) if columns <= 2 => Self::Repeat(down == 2),
            (_, 2, 2) => Self::Both,
            (_, 2, _) => Self::Across,
            (_, _, 2) => Self::Down,
            _ => Self::Full,
        }
    }

    /// Whether a row of pixels uses two rows of chroma.
    pub(crate) fn looks_around(self) -> bool {
        matches!(self, Self::Down | Self::Both)
    }

    /// Whether chroma has half as many rows as luma.
    pub(crate) fn halves_rows(self) -> bool {
        matches!(self, Self::Down | Self::Both | Self::Repeat(true))
    }
}
