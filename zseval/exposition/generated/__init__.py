"""Code generated from protocol buffer definitions, by `.ci/protobuf`; never edited."""
