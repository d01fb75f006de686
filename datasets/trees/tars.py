"""A .tar, packed or not, whose members are files. It is indexed once, so that any member can be read by its place."""

import tarfile

from sweep.datasets.problems import DataError, Findings, shown
from sweep.datasets.trees import IN_ARCHIVE, NO_FILE, OTHER_PACKING, Kind, Opening, Store
from sweep.datasets.trees.names import leads_out, parents_of, parts_of
from sweep.datasets.trees.regions import Region, RegionFile, RegionPart
from sweep.datasets.trees.streams import stream_of
from sweep.datasets.trees.unpacked import unpack
from sweep.storage.text import counted

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
MOST_HEADER = 1 << 20  # bytes of a header; one that asks for more is damaged or hostile


class Tar(Store):
    """The files in a .tar."""

    def __init__(self, region: Region, opening: Opening) -> None:
        super().__init__()
        self.files: dict[str, int] = {}
        self._region = region
        self._places: dict[str, tuple[int, int]] = {}  # the start and the size of each file
        findings = Findings()
        with tarfile.TarFile(fileobj=RegionFile(region, MOST_HEADER)) as tar:
            while member := tar.next():
                tar.members = []  # type: ignore[attr-defined]  # else it keeps all of them: 1.5 KB a file
                self._list_member(member, opening.place, findings)
            end = region.read(tar.offset, tarfile.BLOCKSIZE)
        if end != bytes(tarfile.BLOCKSIZE) and not findings.problems:
            # The library stops silently at a header that is damaged or cut.
            raise ValueError(f"no end, but a damaged or cut header behind {counted(len(self._places), 'file')}")
        if findings.problems:
            raise DataError(findings.problems)

    def _list_member(self, member: tarfile.TarInfo, place: str, findings: Findings) -> None:
        """Adds a member to the files or the folders, or records why it is refused."""
        parts = parts_of(member.name)
        name = "/".join(parts)
        if leads_out(member.name) or not (parts or member.isdir()):
            findings.refuse(place, "names in a tar must stay in it", shown(member.name), "pack it again")
            return
        self.folders |= parents_of(parts)
        if member.isdir():
            self.folders.update([name] if parts else [])
        elif name in self.files or name in self.refused:
            findings.refuse(place, "names in a tar must be unique", f"{shown(name)} twice", "pack it again")
        elif member.issym() or member.islnk():
            self.refused[name] = IN_ARCHIVE
        elif member.sparse is not None:
            self.refused[name] = OTHER_PACKING
        elif not member.isreg():
            self.refused[name] = NO_FILE
        elif member.offset_data + member.size > self._region.size:
            got = f"{self._region.size:,} bytes, and {shown(name)} would end at {member.offset_data + member.size:,}"
            findings.refuse(place, "tar must be whole", got, "fetch it again")
        else:
            self.files[name] = member.size
            self._places[name] = member.offset_data, member.size

    def read(self, name: str, count: int) -> bytes:
        """Returns the first bytes of a file."""
        start, size = self._places[name]
        return self._region.read(start, min(count, size))

    def region(self, name: str) -> Region:
        """Returns a file as a part of the .tar."""
        return RegionPart(self._region, *self._places[name])


def _open(opening: Opening) -> Store:
    chunks = stream_of(opening.region)
    region = opening.region if chunks is None else unpack(chunks, opening.region.size, "", opening)
    return Tar(region, opening)


KIND = Kind("tar", lambda name, head: name.endswith(SUFFIXES), _open, is_packed=True, is_archive=True)
