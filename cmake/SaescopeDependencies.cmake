# Libraries of the distribution, each behind one room (docs/architecture.md, section 6).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(SS_DEPS REQUIRED IMPORTED_TARGET
  # Of these two a build may have its own (scripts/package-wheel.sh): their folder is looked in first.
  libcurl       # net: HTTP
  cairo freetype2 # view: pictures, their font
  libcrypto     # base: hashes
  zlib libzstd liblzma                     # dataset, weights: codecs
  libbrotlidec liblz4                      # dataset: codecs of Parquet pages
  yaml-0.1)     # dataset: cards of dataset repositories
find_package(BZip2 REQUIRED)
find_library(SS_SNAPPY snappy REQUIRED)
find_path(SS_SNAPPY_INCLUDE snappy-c.h REQUIRED)
find_path(SS_XXHASH_INCLUDE xxhash.h REQUIRED) # base: a hash of the artifact store, inlined

add_library(saescope_libraries INTERFACE)
target_include_directories(saescope_libraries INTERFACE ${SS_SNAPPY_INCLUDE} ${SS_XXHASH_INCLUDE})
target_link_libraries(saescope_libraries INTERFACE
  PkgConfig::SS_DEPS BZip2::BZip2 ${SS_SNAPPY} Threads::Threads m)
