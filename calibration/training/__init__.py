"""Training of backbones (extra ``train``)."""
