//! The two detectors, as one table: what the network in common takes from each.

use std::fmt;
use std::str::FromStr;

use crate::proposals::ProposalLimits;

/// How the maps of a backbone become the maps of the RPN and of the regions, and what the regions go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// One map; the backbone's last stage and a norm are the head of the regions: detectron2's `Base-RCNN-C4` with MoCo's `Res5ROIHeadsExtraNorm`.
    C4,
    /// A feature pyramid (Lin et al. 2017); two linear layers are the head of the boxes, four convolutions that of the masks: detectron2's `Base-RCNN-FPN`.
    Fpn,
}

/// What differs in numbers.
#[derive(Debug)]
pub(crate) struct Parts {
    pub name: &'static str,
    /// Bins along each side of the regions that the head of the boxes gets. The head of the masks gets 14 x 14 where it has its own.
    pub box_bins: usize,
    /// Convolutions of the head of the masks.
    pub mask_convolutions: usize,
    /// Cells along each side of a predicted mask.
    pub mask_side: u16,
    /// detectron2's proposals in training and in evaluation; the first number is that of each map.
    pub proposals: [ProposalLimits; 2],
}

const C4: Parts = Parts {
    name: "c4",
    box_bins: 14,
    mask_convolutions: 0,
    mask_side: 14,
    proposals: [
        ProposalLimits { before_nms: 12_000, after_nms: 2000 },
        ProposalLimits { before_nms: 6000, after_nms: 1000 },
    ],
};

const FPN: Parts = Parts {
    name: "fpn",
    box_bins: 7,
    mask_convolutions: 4,
    mask_side: 28,
    proposals: [
        ProposalLimits { before_nms: 2000, after_nms: 1000 },
        ProposalLimits { before_nms: 1000, after_nms: 1000 },
    ],
};

impl Architecture {
    /// Both.
    pub const ALL: [Self; 2] = [Self::C4, Self::Fpn];

    pub(crate) fn parts(self) -> &'static Parts {
        match self {
            Self::C4 => &C4,
            Self::Fpn => &FPN,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.parts().name)
    }
}

/// A name that is no architecture.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not an architecture of detectors; expected c4 or fpn")]
pub struct UnknownArchitecture(String);

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    fn from_str(name: &str) -> Result<Self, UnknownArchitecture> {
        let found = Self::ALL.into_iter().find(|architecture| architecture.parts().name == name);
        found.ok_or_else(|| UnknownArchitecture(name.to_owned()))
    }
}
