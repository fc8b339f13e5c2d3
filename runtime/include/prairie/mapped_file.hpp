// Mapped files: everything but Asio. See docs/mapped_files.md.
#ifndef PRAIRIE_MAPPED_FILE_HPP_
#define PRAIRIE_MAPPED_FILE_HPP_

#include "prairie/growable_file.hpp"  // IWYU pragma: export
#include "prairie/mapping.hpp"        // IWYU pragma: export
#include "prairie/prefault.hpp"       // IWYU pragma: export
#include "prairie/reader_at.hpp"      // IWYU pragma: export
#include "prairie/result.hpp"         // IWYU pragma: export

#endif  // PRAIRIE_MAPPED_FILE_HPP_
