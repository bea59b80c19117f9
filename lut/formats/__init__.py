"""Published table formats, both ways. A new one is a `Format` in `names.py` and one line there.

All three are YAML of one shape, `layer name: {mean: ms, var or std: …, count: …}`; see `yaml.py` for how it is read.
"""

from lut.formats.convert import export_table, import_table
from lut.formats.names import FORMATS, Format, get_format

__all__ = ["FORMATS", "Format", "export_table", "get_format", "import_table"]
