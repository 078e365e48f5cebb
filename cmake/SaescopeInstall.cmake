# What `cmake --install` puts in place: program, libraries, header, pkg-config file, CMake package,
# man pages, completions.
include(CMakePackageConfigHelpers)

install(TARGETS saescope_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS saescope_static saescope_shared EXPORT saescope
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/saescope.h include/saescope_tools.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# Relative to the file itself, so that the installed tree can be moved.
file(RELATIVE_PATH SS_PREFIX_FROM_PC
  /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(cmake/saescope.pc.in ${PROJECT_BINARY_DIR}/saescope.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/saescope.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/saescope)
configure_package_config_file(cmake/saescopeConfig.cmake.in
  ${PROJECT_BINARY_DIR}/saescopeConfig.cmake INSTALL_DESTINATION ${package_folder}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/saescopeConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/saescopeConfig.cmake
  ${PROJECT_BINARY_DIR}/saescopeConfigVersion.cmake DESTINATION ${package_folder})

install(DIRECTORY ${PROJECT_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
  FILES_MATCHING PATTERN "*.1")
install(DIRECTORY ${PROJECT_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man3
  FILES_MATCHING PATTERN "*.3")
install(FILES ${PROJECT_BINARY_DIR}/man/saescope.bash RENAME saescope
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${PROJECT_BINARY_DIR}/man/saescope.zsh RENAME _saescope
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${PROJECT_BINARY_DIR}/man/saescope.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
