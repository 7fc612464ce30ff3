//! Class oracle (MoCHi, section 4.3's upper bound): labels do nothing but take the columns of the query's own class from its negatives and
//! from its parents. `label(n) = label(q)` is masked; an unknown label (negative) equals nothing. For analysis: a run that uses it is no
//! longer self-supervised. The mask is [`super::same_image`]'s, on labels.
