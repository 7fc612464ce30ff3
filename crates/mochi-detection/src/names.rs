//! detectron2's names of a detector's tensors, for the exchange of weights.

use crate::architecture::Architecture;

/// detectron2's name of a tensor: `layer2.0.bn1.weight` is `backbone.res3.0.conv1.norm.weight` and `layer4` is `roi_heads.res5` in a C4 detector;
/// with a feature pyramid both are in `backbone.bottom_up`.
pub fn detectron2(name: &str, architecture: Architecture) -> String {
    let backbone = match architecture {
        Architecture::C4 => "backbone.",
        Architecture::Fpn => "backbone.bottom_up.",
    };
    let renamed = |prefix: &str, rest: &str| format!("{prefix}{rest}");
    if let Some(rest) = name.strip_prefix("head_norm.") {
        return renamed("roi_heads.res5.norm.", rest);
    }
    if let Some(rest) = name.strip_prefix("rpn.") {
        return renamed("proposal_generator.rpn_head.", rest);
    }
    if ["box_predictor.", "box_head.", "mask_head."].iter().any(|own| name.starts_with(own)) {
        return renamed("roi_heads.", name);
    }
    if name.starts_with("fpn_") {
        return renamed("backbone.", name);
    }
    let (place, rest) = match name.strip_prefix("layer") {
        Some(rest) if architecture == Architecture::C4 && rest.starts_with('4') => {
            ("roi_heads.res5".to_owned(), &rest[1..])
        }
        Some(rest) => {
            let (layer, rest) = rest.split_at(usize::from(!rest.is_empty()));
            (format!("{backbone}res{}", layer.parse::<u32>().unwrap_or(0) + 1), rest)
        }
        None => (format!("{backbone}stem."), name),
    };
    let parts: Vec<&str> = rest.split('.').collect();
    let mut words = Vec::new();
    let mut at = 0;
    while at < parts.len() {
        let (part, next) = (parts[at], parts.get(at + 1).copied());
        match (part, next) {
            ("downsample", Some("0")) => {
                words.push("shortcut".to_owned());
                at += 1;
            }
            ("downsample", Some("1")) => {
                words.push("shortcut.norm".to_owned());
                at += 1;
            }
            _ => words.push(match part.strip_prefix("bn") {
                Some(number) => format!("conv{number}.norm"),
                None => part.to_owned(),
            }),
        }
        at += 1;
    }
    format!("{place}{}", words.join("."))
}
