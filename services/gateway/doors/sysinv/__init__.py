"""The API of StarlingX's application framework (sysinv): README.md says what its calls do here."""
