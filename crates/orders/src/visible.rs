//! Which characters a person can see. Others make a name that is empty to the eye, or that changes
//! how the text around it is shown.

/// Whether a character leaves ink, or is at least a dotted circle.
///
/// The ranges are those of the property `Default_Ignorable_Code_Point` of Unicode 17, in
/// [DerivedCoreProperties.txt], and one symbol whose glyph is blank.
///
/// [DerivedCoreProperties.txt]: https://www.unicode.org/Public/17.0.0/ucd/
pub fn is_visible(character: char) -> bool {
    let is_ignorable = matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    let is_blank = character == '\u{2800}' || character.is_whitespace();
    !is_ignorable && !is_blank && !character.is_control()
}

/// Whether a character breaks the line, or changes the direction of the text that follows it, even
/// beyond its own field.
pub fn disturbs(character: char) -> bool {
    matches!(
        character,
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}
