//! The detector of a plan: `[detection]`.

use std::path::{Path, PathBuf};

use mochi_config::detection::Settings;
use mochi_config::plan::{Place, PlanError, PlanTable};
use mochi_run::Protocol;
use toml::Table;

/// The detector that is trained from a cell's encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionPlan {
    /// Images with objects.
    pub images: PathBuf,
    /// The same as the plan has it.
    pub images_as_written: String,
    /// Its settings, as a settings file.
    pub settings: String,
    /// Where the plan names the images.
    pub place: Place,
    /// A protocol that needs a detector with masks, if the plan names one.
    pub masks_for: Option<Protocol>,
}

/// `[detection]`: `images`, and settings of detection. `evaluate`: the plan's protocols.
///
/// # Errors
/// What is wrong with the table; a protocol that needs a detector, or masks, where the plan has none.
pub(crate) fn detection_of(
    file: &PlanTable,
    evaluate: &[Protocol],
    place: &impl Fn(&str) -> PathBuf,
) -> Result<Option<DetectionPlan>, PlanError> {
    let (Some(table), Some(values)) = (file.table("detection")?, file.values("detection")?) else {
        return match evaluate.iter().find(|protocol| protocol.detection_metric().is_some()) {
            None => Ok(None),
            Some(protocol) => {
                let message = format!("\"{}\" needs a detector, and there is no [detection]", protocol.name());
                let hint = "add [detection] with `images`, a folder as of `mochi detect train --data`";
                Err(file.problem(Some("evaluate"), &message, hint))
            }
        };
    };
    let images = table.required("images", table.text("images")?)?;
    let settings: Table =
        values.iter().filter(|(key, _)| *key != "images").map(|(key, value)| (key.clone(), value.clone())).collect();
    if settings.contains_key("seed") {
        let hint = "list the seeds at the top: seeds = [0, 1, 2]";
        return Err(table.problem(Some("seed"), "`seed` in [detection] has no effect", hint));
    }
    let settings = toml::to_string(&settings).map_err(|error| {
        table.problem(None, &format!("[detection]: {error}"), "write settings as in a settings file of detection")
    })?;
    let loaded = Settings::load_text(Path::new("[detection]"), settings.clone());
    let loaded = loaded.map_err(|error| table.settings_problem(&error))?;
    let masks_for = evaluate.iter().copied().find(|&protocol| needs_masks(protocol));
    if let (Some(protocol), Some(false)) = (masks_for, loaded.model.masks.written()) {
        let name = protocol.name();
        let message = format!("\"{name}\" needs masks, and [detection] has model.masks = false");
        let hint = format!("remove model.masks = false from [detection], or \"{name}\" from `evaluate`");
        return Err(file.problem(Some("evaluate"), &message, &hint));
    }
    let (place, images, images_as_written) = (table.place(Some("images")), place(images), images.to_owned());
    Ok(Some(DetectionPlan { images, images_as_written, settings, place, masks_for }))
}

/// Whether a protocol's result is one of masks.
fn needs_masks(protocol: Protocol) -> bool {
    protocol.detection_metric().is_some_and(|metric| metric.key.starts_with("mask_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocols_of_segmentation_need_masks() {
        let of_masks = Protocol::ALL.into_iter().filter(|&protocol| needs_masks(protocol)).collect::<Vec<_>>();
        assert_eq!(of_masks, [Protocol::SegmentationAp, Protocol::SegmentationAp50]);
    }
}
