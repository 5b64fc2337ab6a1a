"""Names of the files in artifacts that only tasks write and read."""

__all__ = [
    "CATALOG_FILE",
    "COLUMNS_FILE",
    "FILES_FILE",
    "IMAGES_FILE",
    "IMAGES_TABLE_FILE",
    "LABELS_FILE",
    "LABEL_ERRORS_FILE",
    "SHAPES_FILE",
    "SKIPPED_FILE",
    "SMALL_IMAGES_FILE",
    "START_FILE",
    "START_NETWORK_FILE",
    "SUMMARY_FILE",
]

CATALOG_FILE, LABELS_FILE, SKIPPED_FILE, FILES_FILE = "catalog.csv", "labels.json", "skipped.csv", "files.json"
COLUMNS_FILE = "columns.json"
SHAPES_FILE = "shapes.csv"
LABEL_ERRORS_FILE = "label_errors.json"
SMALL_IMAGES_FILE = "images.zip"
IMAGES_FILE = "images.json"
IMAGES_TABLE_FILE = "images.csv"
SUMMARY_FILE = "summary.md"
START_NETWORK_FILE, START_FILE = "network.keras", "start.json"
