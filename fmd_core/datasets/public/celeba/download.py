"""CelebA from its authors' Google Drive, by torchvision."""

from __future__ import annotations

from pathlib import Path

from fmd_core.datasets.public.celeba.lists import (
    ATTRIBUTES,
    BY_HAND,
    IDENTITIES,
    PARTITION,
    PICTURES,
    is_web_page,
)
from fmd_core.errors import DataError


def download_celeba(folder: Path) -> None:
    """Let torchvision download CelebA into `folder` from the authors' Google Drive (1.4 GB, twice that
    once unpacked). Raises DataError that says in words why it was refused. Imports torch."""
    from torchvision.datasets import CelebA

    here = type("CelebA", (CelebA,), {"base_folder": folder.name})  # its own folder name is fixed
    try:
        here(root=folder.parent, split="all", download=True)
    except Exception as error:  # torchvision, gdown, requests and zipfile each have their own
        raise DataError(_refusal(folder, error)) from error


def _refusal(folder: Path, error: Exception) -> str:
    """Why a download failed, in words."""
    saved = [name for name in (PICTURES + ".zip", ATTRIBUTES, PARTITION, IDENTITIES)
             if is_web_page(folder / name)]  # fmt: skip
    text = str(error).lower()
    if saved or "too many users" in text or "quota" in text or "public link" in text:
        what = f"sent a web page instead of '{saved[0]}'" if saved else "refused"
        return f"Google Drive {what}: its daily quota for CelebA is used up; try again tomorrow, {BY_HAND}."
    if "gdown" in text and "required" in text:
        return (
            f"torchvision downloads CelebA with the package gdown, which is not here; install it, {BY_HAND}."
        )
    if isinstance(error, PermissionError):
        return f"CelebA cannot be saved: the folder '{folder.name}' may not be written to; choose another."
    if "corrupted" in text or "zip" in text:
        return f"What arrived is not the CelebA that torchvision expects; try again, {BY_HAND}."
    return f"CelebA cannot be downloaded ({type(error).__name__}); check the connection, {BY_HAND}."
