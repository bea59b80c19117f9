"""Hardware-aware deployment: profile a device, search networks for it, ship measured engines."""

__version__ = "0.1.0"
