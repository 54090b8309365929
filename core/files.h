// Whole files: read at once, and written so that they are complete or not there at all.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mesagrad {

// All bytes of a file. Throws Error if it is missing, a directory, unreadable or larger than the
// memory.
std::string read_file(const std::filesystem::path& path);

// A file to be: the pieces, one after another, are its bytes.
struct NewFile {
  std::filesystem::path path;
  std::vector<std::string_view> pieces;
};

// Writes every file under a temporary name next to its own, and renames them when all are on disk:
// whatever happens, each path is the old file or the new one, and never a part of it.
// Throws Error if a step fails (no such directory, disk full, ...) or if a path is something other
// than a regular file; then the temporary files are gone, and nothing has changed unless it was a
// renaming that failed.
void write_files(std::span<const NewFile> files);
void write_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace mesagrad
