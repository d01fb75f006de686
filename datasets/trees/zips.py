"""A .zip, whose members are files."""

import stat
import struct
import zipfile
from collections.abc import Callable, Iterator

from sweep.datasets.problems import DataError, Findings, Problem, shown
from sweep.datasets.trees import IN_ARCHIVE, OTHER_PACKING, Kind, Opening, Store
from sweep.datasets.trees.names import leads_out, parents_of, parts_of
from sweep.datasets.trees.regions import Region, RegionFile, RegionPart
from sweep.datasets.trees.unpacked import CHUNK, unpack
from sweep.storage.text import counted

# the signature, and the lengths of the name and of the extra field, which follow the header
LOCAL_HEADER = struct.Struct("<4s22xHH")


class Zip(Store):
    """The files in a .zip."""

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self.files: dict[str, int] = {}
        self._opening = opening
        self._members: dict[str, zipfile.ZipInfo] = {}
        try:
            self._zip = zipfile.ZipFile(RegionFile(opening.region))
        except UnicodeDecodeError as error:
            got = f"byte 0x{error.object[error.start]:02x} in {error.object!r}"
            rule = "names in a zip must be UTF-8 where it says so"
            raise DataError([Problem(opening.place, rule, got, "pack it again")]) from error
        self._list_members()

    def _list_members(self) -> None:
        """Lists the members as files and folders.

        Raises:
          DataError: the .zip is encrypted, or names lead out of it or occur twice.
        """
        findings, guesses = Findings(), []
        place, rules = self._opening.place, self._opening.rules
        members = self._zip.infolist()
        for member, (full_name, is_guess) in zip(members, rules.zip_names(members), strict=True):
            parts = parts_of(full_name)
            name = "/".join(parts)
            is_folder = full_name.endswith("/") or stat.S_ISDIR(member.external_attr >> 16)
            if leads_out(full_name) or not (parts or is_folder):
                findings.refuse(place, "names in a zip must stay in it", shown(full_name), "pack it again")
                continue
            if rules.has_parents:
                self.folders |= parents_of(parts)
            if is_guess:
                guesses.append(name)
            if is_folder:
                self.folders.update([name] if parts else [])
                continue
            if member.flag_bits & 1:
                findings.refuse(place, "zip must not be encrypted", f"{shown(name)} encrypted", "unpack it")
            elif name in self._members:
                findings.refuse(place, "names in a zip must be unique", f"{shown(name)} twice", "pack it again")
            elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Python unpacks the other kinds without a limit, whatever size the zip declares.
                self.refused[name] = OTHER_PACKING
            elif stat.S_ISLNK(member.external_attr >> 16):
                self.refused[name] = IN_ARCHIVE
            else:
                self.files[name] = member.file_size
            self._members[name] = member
        if findings.problems:
            self.close()
            raise DataError(findings.problems)
        if guesses:
            rule = "in no encoding that the .zip tells, read as code page 437"
            self.notes.append(
                f"{place}: {counted(len(guesses), 'name')} {rule}, first {shown(min(guesses))}; "
                "if they look wrong, unpack it and give the folder, or pack it again with names in UTF-8."
            )

    def read(self, name: str, count: int) -> bytes:
        """Returns the first bytes of a file."""
        with self._zip.open(self._members[name]) as member:
            # unpacks no more than this, whatever the size of the content; at its end the checksum is compared
            return member.read(count)

    def region(self, name: str) -> Region:
        """Returns a file as a region; a compressed file is unpacked first."""
        member = self._members[name]
        if member.compress_type == zipfile.ZIP_STORED:
            header = self._opening.region.read(member.header_offset, LOCAL_HEADER.size)
            signature, *lengths = LOCAL_HEADER.unpack(header)
            if signature == b"PK\x03\x04":
                start = member.header_offset + LOCAL_HEADER.size + sum(lengths)
                return RegionPart(self._opening.region, start, member.file_size)
        return unpack(self._chunks(name), member.compress_size, name, self._opening)

    def _chunks(self, name: str) -> Callable[[], Iterator[bytes]]:
        """Returns a function that unpacks a file from its beginning."""

        def read() -> Iterator[bytes]:
            with self._zip.open(self._members[name]) as member:
                while chunk := member.read(CHUNK):
                    yield chunk

        return read

    def close(self) -> None:
        """Closes the archive."""
        self._zip.close()


KIND = Kind("zip", lambda name, head: name.endswith(".zip"), Zip, is_packed=True, is_archive=True)
