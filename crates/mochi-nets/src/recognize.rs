//! Which network the weights of a file are of.

use std::collections::BTreeMap;

use crate::arch::{Arch, BlockKind, Stem};

/// Name of a tensor that every network here has, after what a file writes before its names.
const FIRST_BLOCK: &str = "layer1.0.conv1.weight";

/// The network and its stem, by the names and shapes of its weights (torchvision's names, after any prefix): the width and the kernel of the first convolution,
/// the number of blocks in each stage, and their kind. `None` for another network; the stem is `None` where both stems have the same weights.
pub fn network_of(shapes: &BTreeMap<String, Vec<i64>>) -> Option<(Arch, Option<Stem>)> {
    let prefix = shapes.keys().find_map(|name| name.strip_suffix(FIRST_BLOCK))?;
    let &[width, _, kernel, _] = shapes.get(&format!("{prefix}conv1.weight"))?.as_slice() else { return None };
    let has = |stage: usize, block: usize, conv: usize| {
        shapes.contains_key(&format!("{prefix}layer{stage}.{block}.conv{conv}.weight"))
    };
    let count = |stage| (0..).take_while(|&block| has(stage, block, 1)).count();
    let blocks: Vec<usize> = (1..).map(count).take_while(|&blocks| blocks > 0).collect();
    let bottlenecks = has(1, 0, 3);
    let is = |arch: Arch, stem: Stem| {
        let shape = arch.shape(stem);
        let first = (shape.stem.width, shape.stem.kernel) == (width, kernel);
        first && shape.blocks == blocks && (shape.block == BlockKind::Bottleneck) == bottlenecks
    };
    let archs = Arch::NAMES.iter().filter_map(|name| name.parse::<Arch>().ok());
    archs.into_iter().find_map(|arch| match [Stem::Standard, Stem::Cifar].map(|stem| is(arch, stem)) {
        [false, false] => None,
        [true, true] => Some((arch, None)),
        [standard, _] => Some((arch, Some(if standard { Stem::Standard } else { Stem::Cifar }))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoder, EncoderSpec, HeadKind};
    use mochi_tensor::{Compute, with_seed};

    #[test]
    fn every_network_is_recognized_by_its_weights() {
        for name in Arch::NAMES {
            let arch: Arch = name.parse().unwrap();
            for stem in [Stem::Standard, Stem::Cifar] {
                let spec = EncoderSpec { arch, stem, head: HeadKind::Linear, dim: 2 };
                let encoder = with_seed(0, || Encoder::new(&spec, Compute::CPU)).unwrap();
                for prefix in ["", "state_dict.module.encoder_q."] {
                    let mut shapes: BTreeMap<String, Vec<i64>> = encoder
                        .backbone_tensors()
                        .map(|(name, tensor, _)| (format!("{prefix}{name}"), tensor.size()))
                        .collect();
                    let same_weights = arch == Arch::PatchResNet || matches!(arch, Arch::Cifar { .. });
                    let expected = (arch, (!same_weights).then_some(stem));
                    assert_eq!(network_of(&shapes), Some(expected), "{prefix}{name}");
                    shapes.insert(format!("{prefix}layer1.30.conv1.weight"), vec![1]);
                    assert_eq!(network_of(&shapes), Some(expected), "a block that nothing leads to");
                    shapes.remove(&format!("{prefix}conv1.weight"));
                    assert_eq!(network_of(&shapes), None);
                }
            }
        }
        assert_eq!(network_of(&BTreeMap::new()), None);
    }
}
