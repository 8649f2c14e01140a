"""What every room needs; nothing here is for users but `mmscd.utils.config.load_config`."""

__all__: list[str] = []
